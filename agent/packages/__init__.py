"""Packages: named and ordered, found in feeds, kept in a cache, unpacked safely, and packed reproducibly."""

from agent.packages.acquire import Acquired, AcquiredPackage, ReportProgress, acquire, acquire_all
from agent.packages.cache import PackageCache
from agent.packages.extract import Extracted, extract, read_file
from agent.packages.feeds import Feed, FeedPackage, FeedSettings, open_feed, open_feeds
from agent.packages.images import ResolvedImage, resolve_image
from agent.packages.limits import Limits
from agent.packages.pack import Packed, pack
from agent.packages.package_variables import package_variables
from agent.packages.resolution import PackageReference
from agent.packages.retention import CachedPackage, Needed, Retention, Surplus, cached_packages, remove, surplus

__all__ = [
    "Acquired",
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
    "ResolvedImage",
    "Retention",
    "Surplus",
    "acquire",
    "acquire_all",
    "cached_packages",
    "extract",
    "open_feed",
    "open_feeds",
    "pack",
    "package_variables",
    "read_file",
    "remove",
    "resolve_image",
    "surplus",
]
