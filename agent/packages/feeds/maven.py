"""Maven repositories: versions from `maven-metadata.xml`, files by HEAD (as Calamari), snapshots by their build.

An id is `group:artifact`, with `:packaging` and `:classifier` where these are not to be found out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from agent.errors import PackageError
from agent.host import ByteProgress
from agent.packages.feeds.feed import FeedPackage, FeedSettings, Fetched
from agent.packages.feeds.markup import Element
from agent.packages.feeds.remote import Remote
from agent.packages.versions import Version, VersionFormat, parse_maven
from agent.packages.web import Patience

PACKAGINGS = (
    *("jar", "war", "ear", "rar", "zip", "nupkg", "tar.bz2", "tar.bz", "tbz", "tgz", "tar.gz", "tar.Z", "tar"),
)
"""What is tried where the id does not say it, in this order (as Calamari)."""

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(?:[.][A-Za-z0-9_-]+)*")
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
_SIDECARS = (("sha512", 128), ("sha256", 64), ("sha1", 40))


@dataclass(frozen=True, kw_only=True)
class Coordinates:
    """An id taken apart; `packaging` and `classifier` are empty where not said."""

    group: str
    artifact: str
    packaging: str = ""
    classifier: str = ""

    @property
    def folder(self) -> str:
        return f"{self.group.replace('.', '/')}/{self.artifact}/"


class MavenFeed:
    """Artifacts of a Maven repository."""

    format: VersionFormat = "maven"

    def __init__(self, name: str, settings: FeedSettings, patience: Patience) -> None:
        self.name = name
        self._remote = Remote(name, settings, settings.uri.rstrip("/") + "/", patience)
        self.location = str(self._remote.root)

    def versions(self, id: str, exact: Version | None = None) -> list[FeedPackage]:  # noqa: A002  the field's own word
        folder = parse_coordinates(id).folder
        metadata = self._remote.markup(self._remote.at(f"{folder}maven-metadata.xml"))
        listed = (
            [item.text.strip() for item in metadata.each("versioning", "versions", "version")] if metadata else []
        )
        found = {version.text: version for text in listed if (version := _version(text))}
        if exact and exact not in found.values() and _version(exact.text):
            found[exact.text] = exact  # a repository need not list what it has; `details` finds out
        return [FeedPackage(id=id, version=version, extension="") for version in found.values()]

    def similar(self, id: str) -> list[str]:  # noqa: A002, ARG002
        return []

    def details(self, package: FeedPackage) -> FeedPackage:
        """With the file that is there, and what the repository says of its content."""
        coordinates, version = parse_coordinates(package.id), package.version.text
        metadata = self._snapshot(coordinates, version) if version.upper().endswith("-SNAPSHOT") else None
        for packaging in [coordinates.packaging] if coordinates.packaging else PACKAGINGS:
            build = _build(metadata, coordinates, packaging, version) if metadata else version
            address = f"{coordinates.folder}{version}/{_file(coordinates, build, packaging)}"
            found = self._remote.client.head(self._remote.at(address))
            if found is not None:
                length = found.headers.get("content-length", "")
                return replace(
                    package,
                    extension=f".{packaging.lower()}",
                    size=int(length) if length.isascii() and length.isdigit() and len(length) < 16 else 0,
                    stamp=build if build != version else "",
                    address=address,
                    hash=self._hash(address),
                )
        tried = coordinates.packaging or ", ".join(PACKAGINGS)
        raise PackageError(
            f"feed '{self.name}' ({self.location}) has no file for {package.id} {version} (tried {tried}); check the "
            "version, or say the packaging as group:artifact:packaging"
        )

    def fetch(self, package: FeedPackage, into: Path, progress: ByteProgress) -> Fetched:
        return self._remote.fetch(package, into, progress)

    def _snapshot(self, coordinates: Coordinates, version: str) -> Element | None:
        return self._remote.markup(self._remote.at(f"{coordinates.folder}{version}/maven-metadata.xml"))

    def _hash(self, address: str) -> str:
        """From the small file that repositories keep beside each; the strongest there is."""
        for algorithm, length in _SIDECARS:
            answer = self._remote.client.read(self._remote.at(f"{address}.{algorithm}"), largest=1 << 16)
            word = answer.body.decode("ascii", "replace").split() if answer else []
            if word and re.fullmatch(rf"[0-9a-fA-F]{{{length}}}", word[0]):
                return f"{algorithm}:{word[0].lower()}"
        return ""


def parse_coordinates(id: str) -> Coordinates:  # noqa: A002
    """PackageError for what is no id of Maven's. What passes is safe in a path."""
    parts = id.split(":")
    if len(id) > 256 or not 2 <= len(parts) <= 4 or not all(_PART.fullmatch(part) for part in parts):
        raise PackageError(
            f"{id[:60]!a} is not a Maven id; it looks like group:artifact, group:artifact:packaging or "
            "group:artifact:packaging:classifier"
        )
    packaging, classifier = (*parts[2:], "", "")[:2]
    if packaging and packaging.lower() not in {known.lower() for known in PACKAGINGS}:
        raise PackageError(f"{id[:60]!a} has the packaging {packaging[:20]!a}; known are {', '.join(PACKAGINGS)}")
    return Coordinates(group=parts[0], artifact=parts[1], packaging=packaging, classifier=classifier)


def _version(text: str) -> Version | None:
    """A version that can be a part of a path; the metadata is untrusted."""
    if not _VERSION.fullmatch(text) or ".." in text or len(text) > 200:
        return None
    return parse_maven(text)


def _build(metadata: Element, coordinates: Coordinates, packaging: str, version: str) -> str:
    """The build of a snapshot that this file is: `1.0-20240131.120000-3`, or the version itself if none is told."""
    for entry in metadata.each("versioning", "snapshotVersions", "snapshotVersion"):
        kind, classifier = entry.value("extension"), entry.value("classifier")
        if kind.lower() == packaging.lower() and classifier == coordinates.classifier:
            value = entry.value("value")
            return value if _version(value) else version
    stamp, number = (metadata.value("versioning", "snapshot", part) for part in ("timestamp", "buildNumber"))
    value = f"{version[: -len('SNAPSHOT')]}{stamp}-{number}"
    return value if stamp and number and _version(value) else version


def _file(coordinates: Coordinates, version: str, packaging: str) -> str:
    classifier = f"-{coordinates.classifier}" if coordinates.classifier else ""
    return f"{coordinates.artifact}-{version}{classifier}.{packaging}"
