"""Packages: named and ordered, found in feeds, kept in a cache, unpacked safely, and packed reproducibly."""

from agent.packages.acquire import (
    AcquiredPackage,
    PackageReference,
    ReportProgress,
    acquire,
    package_variables,
)
from agent.packages.cache import PackageCache
from agent.packages.extract import Extracted, extract, read_file
from agent.packages.feeds import Feed, FeedPackage, FeedSettings, open_feed, open_feeds
from agent.packages.limits import Limits
from agent.packages.pack import Packed, pack
from agent.packages.retention import CachedPackage, Needed, Retention, Surplus, cached_packages, remove, surplus

__all__ = [
    "AcquiredPackage",
    "CachedPackage",
    "Extracted",
    "Feed",
    "FeedPackage",
    "FeedSettings",
    "Limits",
    "Needed",
    "PackageCache",
    "PackageReference",
    "Packed",
    "ReportProgress",
    "Retention",
    "Surplus",
    "acquire",
    "cached_packages",
    "extract",
    "open_feed",
    "open_feeds",
    "pack",
    "package_variables",
    "read_file",
    "remove",
    "surplus",
]
