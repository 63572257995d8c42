"""Where packages come from. Each kind of feed is a module here, one class behind `Feed`, and a row in `_KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from agent.packages.feeds.feed import Feed, FeedPackage, FeedSettings, FeedType, Fetched
from agent.packages.feeds.folder import FolderFeed
from agent.packages.patience import Patience

__all__ = [
    "Feed",
    "FeedPackage",
    "FeedSettings",
    "FeedType",
    "Fetched",
    "FolderFeed",
    "Patience",
    "open_feed",
    "open_feeds",
]


def open_feeds(
    settings: Mapping[str, FeedSettings], folder: Path, patience: Patience | None = None
) -> dict[str, Feed]:
    """All feeds of a bundle, by name. Nothing is read or connected to yet."""
    return {name: open_feed(name, feed, folder, patience) for name, feed in settings.items()}


def open_feed(name: str, settings: FeedSettings, folder: Path, patience: Patience | None = None) -> Feed:
    """One feed; a relative `uri` counts from `folder`, the bundle's root. PackageError for a wrong address."""
    return _KINDS[settings.type](name, settings, folder, patience or Patience())


def _folder(name: str, settings: FeedSettings, folder: Path, _patience: Patience) -> Feed:
    return FolderFeed(name=name, root=folder / settings.uri)


def _http(name: str, settings: FeedSettings, _folder: Path, patience: Patience) -> Feed:
    from agent.packages.feeds.http import HttpFeed

    return HttpFeed(name, settings, patience)


def _nuget(name: str, settings: FeedSettings, _folder: Path, patience: Patience) -> Feed:
    from agent.packages.feeds.nuget import NuGetFeed

    return NuGetFeed(name, settings, patience)


def _maven(name: str, settings: FeedSettings, _folder: Path, patience: Patience) -> Feed:
    from agent.packages.feeds.maven import MavenFeed

    return MavenFeed(name, settings, patience)


def _oci(name: str, settings: FeedSettings, _folder: Path, patience: Patience) -> Feed:
    from agent.packages.feeds.oci import OciFeed

    return OciFeed(name, settings, patience)


def _docker(name: str, settings: FeedSettings, _folder: Path, patience: Patience) -> Feed:
    from agent.packages.feeds.docker import DockerFeed

    return DockerFeed(name, settings, patience)


def _github(name: str, settings: FeedSettings, _folder: Path, patience: Patience) -> Feed:
    from agent.packages.feeds.github import GitHubFeed

    return GitHubFeed(name, settings, patience)


def _octopus(name: str, settings: FeedSettings, _folder: Path, patience: Patience) -> Feed:
    from agent.packages.feeds.octopus import OctopusFeed

    return OctopusFeed(name, settings, patience)


_KINDS: Mapping[FeedType, Callable[[str, FeedSettings, Path, Patience], Feed]] = {
    "folder": _folder,
    "http": _http,
    "nuget": _nuget,
    "maven": _maven,
    "oci": _oci,
    "docker": _docker,
    "github": _github,
    "octopus": _octopus,
}
