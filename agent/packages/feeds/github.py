"""GitHub repositories: a version is a tag (and so a release), a package its source without the folder around it."""

from __future__ import annotations

import re
import stat
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import msgspec

from agent.errors import PackageError, StorageError
from agent.host import ByteProgress
from agent.packages.archives import Entry, Refused
from agent.packages.archives.zip import zip_entries
from agent.packages.feeds.feed import FeedPackage, FeedSettings, Fetched
from agent.packages.feeds.remote import Remote, bounded
from agent.packages.limits import Budget, Limits
from agent.packages.stamps import hash_stream
from agent.packages.versions import Version, VersionFormat, parse_semver
from agent.packages.web import Patience

USUAL_URI = "https://api.github.com"
PAGE = 100
MOST_PAGES = 100
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_OLDEST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


class GitHubFeed:
    """Tags of `owner/repository` that are versions, with or without a leading v.

    `uri` is the API, as `https://github.example.com/api/v3`, where it is not GitHub's own.
    """

    format: VersionFormat = "semver"

    def __init__(self, name: str, settings: FeedSettings, patience: Patience) -> None:
        self.name = name
        self._remote = Remote(name, settings, (settings.uri or USUAL_URI).rstrip("/") + "/", patience)
        self.location = str(self._remote.root)

    def versions(self, id: str, exact: Version | None = None) -> list[FeedPackage]:  # noqa: A002, ARG002  the field's own word
        _check_id(id)
        return [package for tag in bounded(self.name, self._tags(id)) if (package := _package(id, tag))]

    def similar(self, id: str) -> list[str]:  # noqa: A002, ARG002
        return []

    def details(self, package: FeedPackage) -> FeedPackage:
        return package

    def fetch(self, package: FeedPackage, into: Path, progress: ByteProgress) -> Fetched:
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


def repack(archive: Path, into: Path) -> Fetched:
    """The zip without its top folder, the same bytes for the same content. Refused for what is no such zip."""
    limits = Limits()
    budget = Budget(limits, archive.stat().st_size, into)
    try:
        with archive.open("rb", buffering=0) as source, zipfile.ZipFile(into, "x", zipfile.ZIP_DEFLATED) as target:
            for number, entry in enumerate(zip_entries(source, limits.entries)):
                budget.count_entry(number)
                inner = entry.name.partition("/")[2]
                if inner and entry.kind != "folder":
                    _copy(entry, inner, target, budget)
        with into.open("rb") as packed:
            return Fetched(sha256=hash_stream(packed), size=into.stat().st_size)
    except OSError as error:
        raise StorageError(
            f"{into.parent} cannot be written: {error.strerror}; free space or check its owner"
        ) from error


class _Commit(msgspec.Struct, frozen=True):
    sha: str = ""


class _Tag(msgspec.Struct, frozen=True):
    name: str
    zipball_url: str = ""
    commit: _Commit = _Commit()


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


def _copy(entry: Entry, name: str, target: zipfile.ZipFile, budget: Budget) -> None:
    info = zipfile.ZipInfo(name, _date(entry.modified))
    info.filename = name  # ZipInfo would cut it at a NUL, and extraction is to see it as it is
    info.create_system = 3
    kind = stat.S_IFLNK | 0o777 if entry.kind == "symlink" else stat.S_IFREG | (0o755 if entry.executable else 0o644)
    info.external_attr = kind << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    with target.open(info, "w") as written:
        for chunk in [entry.target.encode()] if entry.kind == "symlink" else entry.chunks():
            budget.spend(len(chunk))
            written.write(chunk)


def _date(modified: float | None) -> tuple[int, int, int, int, int, int]:
    if modified is None:
        return _OLDEST_ZIP_DATE
    found = time.gmtime(modified)
    date = (found.tm_year, found.tm_mon, found.tm_mday, found.tm_hour, found.tm_min, found.tm_sec)
    return date if 1980 <= found.tm_year < 2108 else _OLDEST_ZIP_DATE
