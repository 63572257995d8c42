"""What the agent asks of a feed, whatever its kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from agent.host import ByteProgress
from agent.packages.versions import Version, VersionFormat


class FeedSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A feed as a manifest writes it. `uri` of a folder may be relative to the bundle."""

    type: Literal["folder"]
    uri: str


@dataclass(frozen=True, kw_only=True)
class FeedPackage:
    """One version of a package in a feed. `extension` begins with a dot.

    `stamp` changes when the content might have: for a file its path, inode, size and times; empty where a
    feed's versions never change.
    """

    id: str
    version: Version
    extension: str
    size: int = 0
    stamp: str = ""
    file: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What was written; `sha256` is taken of the bytes as they passed, in lower-case hex."""

    sha256: str
    size: int


class Feed(Protocol):
    """A place that has packages. Every failure is a PackageError of one line."""

    @property
    def name(self) -> str: ...

    @property
    def location(self) -> str:
        """Where it is, for messages and as part of the cache's key; without any secret."""
        ...

    @property
    def format(self) -> VersionFormat: ...

    def versions(self, id: str) -> Sequence[FeedPackage]:  # noqa: A002  the field's own word
        """All versions of that id, in any order, none where the feed does not know the id."""
        ...

    def similar(self, id: str) -> Sequence[str]:  # noqa: A002
        """Ids that the user may have meant, the closest first; none where the feed cannot tell."""
        ...

    def fetch(self, package: FeedPackage, into: Path, progress: ByteProgress) -> Fetched:
        """Make the new file `into` hold the package, by a copy or, within one file system, by a link."""
        ...
