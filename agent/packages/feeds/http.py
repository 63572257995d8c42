"""Files on an HTTP server, whose addresses are made of id and version by a template."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from agent.errors import PackageError
from agent.host import ByteProgress
from agent.packages.feeds.feed import FeedPackage, FeedSettings, Fetched
from agent.packages.feeds.remote import Remote
from agent.packages.identity import check_id, known_extension
from agent.packages.versions import Version, VersionFormat
from agent.packages.web import Patience


class HttpFeed:
    """`https://files.example.com/{id}/{id}.{version}.zip`: one version at a time, for none can be listed."""

    format: VersionFormat = "semver"

    def __init__(self, name: str, settings: FeedSettings, patience: Patience) -> None:
        self.name = name
        self._template = settings.uri
        self.location = settings.uri.partition("?")[0]  # what follows may be a secret
        self._extension = known_extension(self.location).lower()
        if "{version}" not in settings.uri or not self._extension:
            raise PackageError(
                f"feed '{name}': its uri must hold {{version}} and end in a package's extension, as in "
                "https://files.example.com/{id}/{id}.{version}.zip"
            )
        self._remote = Remote(name, settings, self._filled("id", "1.0.0"), patience)

    def versions(self, id: str, exact: Version | None = None) -> list[FeedPackage]:  # noqa: A002  the field's own word
        check_id(id)
        if exact is None:
            raise PackageError(f"feed '{self.name}' ({self.location}) cannot list versions; name one, as 1.2.0")
        return [
            FeedPackage(id=id, version=exact, extension=self._extension, address=self._filled(id, exact.text)),
        ]

    def similar(self, id: str) -> list[str]:  # noqa: A002, ARG002
        return []

    def details(self, package: FeedPackage) -> FeedPackage:
        """Whether it is there, and what would tell that it was replaced."""
        address = self._remote.at(package.address)
        found = self._remote.client.head(address)
        if found is None:
            raise PackageError(
                f"feed '{self.name}': {package.id} {package.version} is not there: {address} has nothing"
            )
        length = found.headers.get("content-length", "")
        marks = [found.headers.get(name, "") for name in ("etag", "last-modified", "content-length")]
        size = int(length) if length.isascii() and length.isdigit() and len(length) < 16 else 0
        return replace(package, size=size, stamp="|".join(marks))

    def fetch(self, package: FeedPackage, into: Path, progress: ByteProgress) -> Fetched:
        return self._remote.fetch(package, into, progress)

    def _filled(self, id: str, version: str) -> str:  # noqa: A002
        return self._template.replace("{id}", quote(id, safe="")).replace("{version}", quote(version, safe=""))
