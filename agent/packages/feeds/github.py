"""GitHub repositories: a version is a tag, a package the archive that its release has, or else the tag's source."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import msgspec

from agent.errors import PackageError
from agent.host import ByteProgress
from agent.packages.archives import Refused
from agent.packages.feeds.feed import FeedPackage, FeedSettings, Fetched
from agent.packages.feeds.remote import Remote, bounded
from agent.packages.feeds.repack import repack
from agent.packages.identity import known_extension
from agent.packages.versions import Version, VersionFormat, parse_semver
from agent.packages.web import Expected, Patience

USUAL_URI = "https://api.github.com"
PAGE = 100
MOST_PAGES = 100
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_ASSET = re.compile(r"repos/[^/]+/[^/]+/releases/assets/[0-9]+")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
SOURCE = "source"
SHOWN_ASSETS = 6


class GitHubFeed:
    """Tags of `owner/repository` that are versions, with or without a leading v.

    `uri` is the API, as `https://github.example.com/api/v3`, where it is not GitHub's own. `asset` says which of a
    release's files is the package: a pattern that may hold `{id}` (the repository) and `{version}`, or `source`. If
    it says nothing, that is `Id.Version.ext`, else the only archive, else the tag's source (as Calamari).
    """

    format: VersionFormat = "semver"

    def __init__(self, name: str, settings: FeedSettings, patience: Patience) -> None:
        self.name = name
        self._remote = Remote(name, settings, (settings.uri or USUAL_URI).rstrip("/") + "/", patience)
        self.location = str(self._remote.root)
        self._asset = settings.asset

    def versions(self, id: str, exact: Version | None = None) -> list[FeedPackage]:  # noqa: A002, ARG002  the field's own word
        _check_id(id)
        return [package for tag in bounded(self.name, self._tags(id)) if (package := _package(id, tag))]

    def similar(self, id: str) -> list[str]:  # noqa: A002, ARG002
        return []

    def details(self, package: FeedPackage) -> FeedPackage:
        if self._asset == SOURCE:
            return package
        tag = quote(package.version.text, safe="")
        release = self._remote.json(self._remote.at(f"repos/{package.id}/releases/tags/{tag}"), _Release)
        asset = self._chosen(package, release.assets if release else [])
        return package if asset is None else _as_asset(package, asset)

    def fetch(self, package: FeedPackage, into: Path, progress: ByteProgress) -> Fetched:
        if not _ASSET.fullmatch(package.address):
            return self._fetch_source(package, into, progress)
        done = self._remote.client.download(
            self._remote.at(package.address),
            into,
            progress,
            Expected(size=package.size, hash=package.hash),
            {"Accept": "application/octet-stream"},
        )
        return Fetched(sha256=done.sha256, size=done.size)

    def _chosen(self, package: FeedPackage, assets: Sequence[_Asset]) -> _Asset | None:
        """The file that is the package, None for the source. PackageError where it is not clear which."""
        archives = [asset for asset in assets if asset.state == "uploaded" and known_extension(asset.name)]
        repository = package.id.partition("/")[2]
        if self._asset:
            pattern = self._asset.replace("{id}", repository).replace("{version}", _number(package))
            found = [asset for asset in archives if fnmatch.fnmatchcase(asset.name.lower(), pattern.lower())]
        else:
            usual = [asset for asset in archives if _stem(asset) == f"{repository}.{_number(package)}".lower()]
            found = usual or archives
        if len(found) == 1:
            return found[0]
        if not found and not self._asset:
            return None
        names = ", ".join(ascii(asset.name[:80])[1:-1] for asset in (found or archives)[:SHOWN_ASSETS])
        has = f"{len(found)} archives" if found else f"no archive {self._asset!a}"
        raise PackageError(
            f"feed '{self.name}': the release {package.version} of {package.id} has {has} ({names or 'none'}); "
            f"name one with the feed's asset, or give asset: {SOURCE}"
        )

    def _fetch_source(self, package: FeedPackage, into: Path, progress: ByteProgress) -> Fetched:
        """As Calamari: files only, without the top folder."""
        archive = into.with_name(f"{into.name}.zipball")
        try:
            self._remote.client.download(self._remote.at(package.address), archive, progress)
            return repack(archive, into)
        except Refused as refused:
            into.unlink(missing_ok=True)
            raise PackageError(
                f"feed '{self.name}': the archive of {package.id} {package.version} {refused.reason}; it is not used"
            ) from refused
        finally:
            archive.unlink(missing_ok=True)

    def _tags(self, id: str) -> Iterator[_Tag]:  # noqa: A002
        for number in range(1, MOST_PAGES + 1):
            page = self._remote.at(f"repos/{id}/tags?per_page={PAGE}&page={number}")
            tags = self._remote.json(page, list[_Tag]) or []
            yield from tags
            if len(tags) < PAGE:
                return


class _Commit(msgspec.Struct, frozen=True):
    sha: str = ""


class _Tag(msgspec.Struct, frozen=True):
    name: str
    zipball_url: str = ""
    commit: _Commit = _Commit()


class _Asset(msgspec.Struct, frozen=True):
    id: int
    name: str
    size: int = 0
    state: str = "uploaded"
    updated_at: str = ""
    digest: str | None = None


class _Release(msgspec.Struct, frozen=True):
    assets: list[_Asset] = []


def _as_asset(package: FeedPackage, asset: _Asset) -> FeedPackage:
    """An asset may be put up anew under the same name; it then has another id or date."""
    digest = (asset.digest or "").lower()
    return replace(
        package,
        extension=known_extension(asset.name).lower(),
        size=max(0, asset.size),
        stamp=f"asset {asset.id} {asset.updated_at} {asset.size}",
        hash=digest if _HASH.fullmatch(digest) else "",
        address=f"repos/{package.id}/releases/assets/{abs(asset.id)}",
    )


def _stem(asset: _Asset) -> str:
    return asset.name[: -len(known_extension(asset.name))].lower()


def _number(package: FeedPackage) -> str:
    return package.version.text.removeprefix("v")


def _package(id: str, tag: _Tag) -> FeedPackage | None:  # noqa: A002
    """The version that a tag is, if it is one. A tag that was moved has another commit."""
    try:
        version = parse_semver(tag.name)
    except PackageError:
        return None
    address = tag.zipball_url or f"repos/{id}/zipball/{quote(tag.name, safe='')}"
    commit = tag.commit.sha if _COMMIT.fullmatch(tag.commit.sha) else ""
    return replace(FeedPackage(id=id, version=version, extension=".zip"), stamp=commit, address=address)


def _check_id(id: str) -> None:  # noqa: A002
    if not _ID.fullmatch(id) or id.endswith(("/.", "/..")):
        raise PackageError(f"{id[:60]!a} is not a repository; it looks like owner/repository")
