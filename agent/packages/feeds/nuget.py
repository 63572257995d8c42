"""NuGet feeds: the JSON protocol (v3), found by its service index, and the OData one (v2), by any other address."""

from __future__ import annotations

import binascii
import threading
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from agent.errors import PackageError
from agent.host import ByteProgress
from agent.packages.archives import Refused
from agent.packages.archives.zip import zip_entries
from agent.packages.feeds.feed import FeedPackage, FeedSettings, Fetched
from agent.packages.feeds.markup import Element, parse_markup
from agent.packages.feeds.remote import Remote, bounded
from agent.packages.identity import check_id, same_id
from agent.packages.versions import Version, VersionFormat, parse_semver
from agent.packages.web import Address, Patience

MOST_PAGES = 200
LARGEST_NUSPEC = 1 << 20
MOST_ENTRIES = 200_000


class NuGetFeed:
    """Packages of a NuGet server. Ids are compared without case."""

    format: VersionFormat = "semver"

    def __init__(self, name: str, settings: FeedSettings, patience: Patience) -> None:
        self.name = name
        self._remote = Remote(name, settings, settings.uri, patience)
        self.location = str(self._remote.root)
        is_v3 = self._remote.root.path.partition("?")[0].endswith(".json")
        self._protocol: _Json | _OData = _Json(self._remote) if is_v3 else _OData(self._remote)

    def versions(self, id: str, exact: Version | None = None) -> list[FeedPackage]:  # noqa: A002, ARG002  the field's own word
        return self._protocol.versions(check_id(id))

    def similar(self, id: str) -> list[str]:  # noqa: A002, ARG002
        return []

    def details(self, package: FeedPackage) -> FeedPackage:
        return self._protocol.details(package)

    def fetch(self, package: FeedPackage, into: Path, progress: ByteProgress) -> Fetched:
        fetched = self._remote.fetch(package, into, progress)
        try:
            _check_nuspec(into, package)
        except PackageError as error:
            into.unlink()
            raise PackageError(f"feed '{self.name}' ({self.location}) {error}") from error
        return fetched


class _Resource(msgspec.Struct, frozen=True):
    id: str = msgspec.field(name="@id")
    type: str | list[str] = msgspec.field(name="@type")


class _Index(msgspec.Struct, frozen=True):
    resources: list[_Resource]


class _Versions(msgspec.Struct, frozen=True):
    versions: list[str]


class _CatalogEntry(msgspec.Struct, frozen=True, rename="camel"):
    package_hash: str = ""
    package_hash_algorithm: str = ""
    package_size: int = 0


class _Leaf(msgspec.Struct, frozen=True, rename="camel"):
    catalog_entry: str | _CatalogEntry = ""


class _Json:
    """Version 3: a service index names the places of everything else."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._lock = threading.Lock()
        self._index: _Index | None = None

    def versions(self, id: str) -> list[FeedPackage]:  # noqa: A002
        base = self._place("PackageBaseAddress/3.0.0")
        if base is None:
            raise PackageError(
                f"feed '{self._remote.name}': {self._remote.root} names no PackageBaseAddress, without which "
                "nothing can be had; check its uri"
            )
        name = id.lower()
        listed = self._remote.json(self._remote.at(f"{name}/index.json", base), _Versions)
        found = ((text, _version(text)) for text in bounded(self._remote.name, listed.versions if listed else ()))
        return [
            FeedPackage(
                id=id,
                version=version,
                extension=".nupkg",
                address=_absolute(self._remote.at(f"{name}/{_in_path(text)}/{name}.{_in_path(text)}.nupkg", base)),
            )
            for text, version in found
            if version
        ]

    def details(self, package: FeedPackage) -> FeedPackage:
        """With the hash and size that the catalog has, if the feed has one."""
        base = self._place("RegistrationsBaseUrl")
        if base is None:
            return package
        where = self._remote.at(f"{package.id.lower()}/{_in_path(package.version.text)}.json", base)
        leaf = self._remote.json(where, _Leaf)
        entry = leaf.catalog_entry if leaf else ""
        if isinstance(entry, str):
            found = self._remote.json(self._remote.at(entry, where), _CatalogEntry) if entry else None
            entry = found or _CatalogEntry()
        return replace(
            package, size=max(0, entry.package_size), hash=_hash(entry.package_hash_algorithm, entry.package_hash)
        )

    def _place(self, kind: str) -> Address | None:
        """Where resources of a kind are, of the highest version."""
        with self._lock:
            if self._index is None:
                self._index = self._remote.json(self._remote.root, _Index)
        if self._index is None:
            raise PackageError(f"feed '{self._remote.name}': there is no service index at {self._remote.root}")
        places = {
            type_: resource.id
            for resource in self._index.resources
            for type_ in ([resource.type] if isinstance(resource.type, str) else resource.type)
            if type_ == kind or type_.startswith(f"{kind}/")
        }
        if not places:
            return None
        return self._remote.at(places[max(places)].rstrip("/") + "/")


class _OData:
    """Version 2: pages of Atom entries."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def versions(self, id: str) -> list[FeedPackage]:  # noqa: A002
        found = (self._package(id, entry, page) for page, entry in bounded(self._remote.name, self._entries(id)))
        return [package for package in found if package]

    def details(self, package: FeedPackage) -> FeedPackage:
        return package

    def _entries(self, id: str) -> Iterator[tuple[Address, Element]]:  # noqa: A002
        root = self._remote.at(self._remote.root.path.partition("?")[0].rstrip("/") + "/")
        page: Address | None = self._remote.at(f"FindPackagesById()?id='{id}'&semVerLevel=2.0.0", root)
        for _ in range(MOST_PAGES):
            document = self._remote.markup(page) if page else None
            if not document or not page:
                return
            for entry in document.each("entry"):
                yield page, entry
            links = (link.attributes for link in document.each("link") if link.attributes.get("rel") == "next")
            following = next((link.get("href", "") for link in links), "")
            page = self._remote.at(following, page) if following else None

    def _package(self, id: str, entry: Element, page: Address) -> FeedPackage | None:  # noqa: A002
        values = next(entry.each("properties"), None) or next(entry.each("content", "properties"), Element(name=""))
        version = _version(values.value("Version") or values.value("NormalizedVersion"))
        source = next((content.attributes.get("src", "") for content in entry.each("content")), "")
        if not version or not source:
            return None
        size = values.value("PackageSize")
        return FeedPackage(
            id=id,
            version=version,
            extension=".nupkg",
            size=int(size) if size.isascii() and size.isdigit() and len(size) < 16 else 0,
            address=_absolute(self._remote.at(source, page)),
            hash=_hash(values.value("PackageHashAlgorithm"), values.value("PackageHash")),
        )


def _version(text: str) -> Version | None:
    """A version, if it is one; what is none cannot be asked for either."""
    try:
        return parse_semver(text)
    except PackageError:
        return None


def _in_path(version: str) -> str:
    """As NuGet: in lower case, without metadata."""
    return version.lower().partition("+")[0]


def _absolute(address: Address) -> str:
    return f"{address.origin}{address.path}"


def _hash(algorithm: str, encoded: str) -> str:
    """`sha512:…` in hex, or nothing for what is not such a hash."""
    name = algorithm.lower().replace("-", "")
    length = {"sha512": 64, "sha256": 32}.get(name, 0)
    try:
        digest = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return f"{name}:{digest.hex()}" if length and len(digest) == length else ""


def _check_nuspec(file: Path, package: FeedPackage) -> None:
    """PackageError unless the nuspec inside says the same id and version."""
    try:
        metadata = next(parse_markup(_nuspec(file)).each("metadata"), Element(name=""))
    except (Refused, ValueError) as error:
        raise PackageError(f"sent for {package.id} {package.version} what is no NuGet package: {error}") from error
    id_, version = metadata.value("id"), _version(metadata.value("version"))
    if not same_id(id_, package.id) or version != package.version:
        raise PackageError(
            f"sent for {package.id} {package.version} the package {id_[:60]!a} {metadata.value('version')[:40]!a}; "
            "it is not used"
        )


def _nuspec(file: Path) -> bytes:
    with file.open("rb", buffering=0) as source:
        for entry in zip_entries(source, MOST_ENTRIES):
            if entry.name.lower().endswith(".nuspec") and "/" not in entry.name:
                data = b""
                for chunk in entry.chunks():
                    data += chunk
                    if len(data) > LARGEST_NUSPEC:
                        raise Refused(f"its nuspec has more than {LARGEST_NUSPEC:,} bytes")
                return data
    raise Refused("it has no nuspec")
