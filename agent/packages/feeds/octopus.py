"""The built-in feed of an Octopus server, over its HTTP API with an API key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec

from agent.errors import PackageError
from agent.host import ByteProgress
from agent.packages.feeds.feed import FeedPackage, FeedSettings, Fetched
from agent.packages.feeds.remote import Remote, bounded
from agent.packages.identity import EXTENSIONS, check_id, same_id
from agent.packages.versions import Version, VersionFormat, parse_semver
from agent.packages.web import Patience

PAGE = 100
MOST_PAGES = 1_000
_SHA1 = re.compile(r"[0-9a-f]{40}")


class OctopusFeed:
    """Packages that were pushed to Octopus. `uri` is the server, or one of its spaces as `https://…/api/Spaces-1`."""

    format: VersionFormat = "semver"

    def __init__(self, name: str, settings: FeedSettings, patience: Patience) -> None:
        self.name = name
        uri = settings.uri.rstrip("/")
        api = uri if re.search(r"/api(/Spaces-[0-9]+)?$", uri, re.IGNORECASE) else f"{uri}/api"
        self._remote = Remote(name, settings, f"{api}/", patience)
        self.location = str(self._remote.root)

    def versions(self, id: str, exact: Version | None = None) -> list[FeedPackage]:  # noqa: A002, ARG002  the field's own word
        check_id(id)
        return [
            package for resource in bounded(self.name, self._resources(id)) if (package := _package(resource, id))
        ]

    def similar(self, id: str) -> list[str]:  # noqa: A002, ARG002
        return []

    def details(self, package: FeedPackage) -> FeedPackage:
        return package

    def fetch(self, package: FeedPackage, into: Path, progress: ByteProgress) -> Fetched:
        return self._remote.fetch(package, into, progress)

    def _resources(self, id: str) -> Iterator[_Resource]:  # noqa: A002
        for number in range(MOST_PAGES):
            query = f"packages?nuGetPackageId={quote(id, safe='')}&take={PAGE}&skip={number * PAGE}"
            page = self._remote.json(self._remote.at(query), _Page)
            if page is None:
                raise PackageError(f"feed '{self.name}': {self.location} is no Octopus server's API; check its uri")
            yield from page.items
            if (number + 1) * PAGE >= page.total_results or not page.items:
                return


class _Resource(msgspec.Struct, frozen=True, rename="pascal"):
    package_id: str
    version: str
    file_extension: str = ".nupkg"
    hash: str = ""
    package_size_bytes: int = 0
    id: str = ""


class _Page(msgspec.Struct, frozen=True, rename="pascal"):
    items: list[_Resource]
    total_results: int = 0


def _package(resource: _Resource, id: str) -> FeedPackage | None:  # noqa: A002
    """One that was asked for; the server searches, and may find more. Its hash is SHA-1 (as Calamari)."""
    extension = resource.file_extension.lower()
    if not same_id(resource.package_id, id) or extension not in EXTENSIONS:
        return None
    try:
        version = parse_semver(resource.version)
    except PackageError:
        return None
    name = quote(f"{check_id(resource.package_id)}.{version.text}", safe="")
    sha1 = resource.hash.lower()
    return FeedPackage(
        id=resource.package_id,
        version=version,
        extension=extension,
        size=max(0, resource.package_size_bytes),
        stamp=sha1,
        address=f"packages/packages-{name}/raw",
        hash=f"sha1:{sha1}" if _SHA1.fullmatch(sha1) else "",
    )
