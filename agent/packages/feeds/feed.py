"""What the agent asks of a feed, whatever its kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from agent.host import ByteProgress, Credentials
from agent.packages.versions import Version, VersionFormat

if TYPE_CHECKING:
    from agent.registry.reference import ImageReference

FeedType = Literal["folder", "http", "nuget", "maven", "oci", "docker", "github", "octopus"]


class FeedSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A feed as a manifest writes it. `uri` of a folder may be relative to the bundle; GitHub has a usual one.

    `api_key` is Octopus's, or a token for GitHub. `insecure` takes plain http and any certificate; `allow_local`
    lets the feed lead to this machine. `asset` is which of a GitHub release's files is the package. No secret shows
    in a representation.
    """

    type: FeedType
    uri: str = ""
    username: str = ""
    password: str = ""
    api_key: str = ""
    insecure: bool = False
    allow_local: bool = False
    asset: str = ""

    def __post_init__(self) -> None:
        if not self.uri and self.type != "github":
            raise ValueError(f"a feed of type {self.type} needs a uri")
        if self.type == "folder" and any(msgspec.structs.astuple(self)[2:]):
            raise ValueError("a folder takes nothing but a uri")
        if self.api_key and self.type not in {"octopus", "github"}:
            raise ValueError(f"a feed of type {self.type} takes no api-key; give username and password")
        if self.asset and self.type != "github":
            raise ValueError(f"a feed of type {self.type} takes no asset")
        if bool(self.username) != bool(self.password) and not (self.password and self.type == "github"):
            raise ValueError("a username and a password go together")

    def __repr__(self) -> str:
        return f"FeedSettings(type={self.type!r}, uri={self.uri!r})"


@dataclass(frozen=True, kw_only=True)
class FeedImage:
    """A container image in a registry; `registry` and `path` as the feed spells them, the feed's own credentials."""

    registry: str
    path: str
    tag: str
    reference: ImageReference
    credentials: Credentials | None = None
    insecure: bool = False

    @property
    def text(self) -> str:
        """As the server writes it: `index.docker.io/acme/web:1.4.0`."""
        return f"{self.registry}/{self.path}:{self.tag}"


@dataclass(frozen=True, kw_only=True)
class FeedPackage:
    """One version of a package in a feed. `extension` begins with a dot.

    `stamp` changes when the content might have: for a file its path, inode, size and times; empty where a
    feed's versions never change. `hash` is what the feed says of the content, as `sha256:…` (or sha512, sha1), in
    hex; `address` where it is, in the feed's own form. One with an `image` is no file, and its hash the digest.
    """

    id: str
    version: Version
    extension: str
    size: int = 0
    stamp: str = ""
    file: Path | None = None
    address: str = ""
    hash: str = ""
    image: FeedImage | None = None


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

    def versions(self, id: str, exact: Version | None = None) -> Sequence[FeedPackage]:  # noqa: A002  the field's word
        """All versions of that id, in any order, none where the feed does not know the id.

        Where no other than the `exact` one is asked for, a feed that cannot list them tells at least of that.
        PackageError for what is no id here.
        """
        ...

    def similar(self, id: str) -> Sequence[str]:  # noqa: A002
        """Ids that the user may have meant, the closest first; none where the feed cannot tell."""
        ...

    def details(self, package: FeedPackage) -> FeedPackage:
        """One of its versions with all that is known of it before it is fetched: its extension at least."""
        ...

    def fetch(self, package: FeedPackage, into: Path, progress: ByteProgress) -> Fetched:
        """Make the new file `into` hold the package, by a copy or, within one file system, by a link."""
        ...
