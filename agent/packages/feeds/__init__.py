"""Where packages come from. Each kind of feed is a module here, one class behind `Feed`, and a row in `_KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from agent.packages.feeds.feed import Feed, FeedPackage, FeedSettings, Fetched
from agent.packages.feeds.folder import FolderFeed

__all__ = ["Feed", "FeedPackage", "FeedSettings", "Fetched", "FolderFeed", "open_feed", "open_feeds"]


def open_feeds(settings: Mapping[str, FeedSettings], folder: Path) -> dict[str, Feed]:
    """All feeds of a bundle, by name. Nothing is read or connected to yet."""
    return {name: open_feed(name, feed, folder) for name, feed in settings.items()}


def open_feed(name: str, settings: FeedSettings, folder: Path) -> Feed:
    """One feed; a relative `uri` counts from `folder`, the bundle's root."""
    return _KINDS[settings.type](name, settings, folder)


def _folder(name: str, settings: FeedSettings, folder: Path) -> Feed:
    return FolderFeed(name=name, root=folder / settings.uri)


_KINDS: Mapping[str, Callable[[str, FeedSettings, Path], Feed]] = {
    "folder": _folder,
}
