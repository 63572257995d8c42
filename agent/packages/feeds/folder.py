"""A folder, or a network share, as a feed: `Id.Version.ext` in it or in one level of folders below it."""

from __future__ import annotations

import difflib
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from agent.errors import PackageError, StorageError
from agent.host import ByteProgress
from agent.packages.feeds.feed import FeedPackage, Fetched
from agent.packages.identity import PackageFileName, check_id, parse_file_name, same_id
from agent.packages.stamps import stamp_of
from agent.packages.versions import Version, VersionFormat

CHUNK = 1 << 20


class FolderFeed:
    """Every package file in a folder. Ids are compared without case; the folder is read at each question."""

    format: VersionFormat = "semver"

    def __init__(self, *, name: str, root: Path) -> None:
        self.name = name
        self.root = root

    @property
    def location(self) -> str:
        return str(self.root)

    def versions(self, id: str, exact: Version | None = None) -> list[FeedPackage]:  # noqa: A002, ARG002  the field's own word
        check_id(id)
        files = [(named, entry) for named, entry in self._files() if same_id(named.id, id)]
        try:
            return [_package(named, entry) for named, entry in files if entry.is_file()]
        except OSError as error:
            raise PackageError(
                f"feed '{self.name}': {error.filename} cannot be read: {error.strerror}; check its rights"
            ) from error

    def similar(self, id: str) -> list[str]:  # noqa: A002
        ids = {named.id.lower(): named.id for named, _ in self._files()}
        return [ids[close] for close in difflib.get_close_matches(id.lower(), list(ids), n=3)]

    def details(self, package: FeedPackage) -> FeedPackage:
        return package

    def fetch(self, package: FeedPackage, into: Path, progress: ByteProgress) -> Fetched:
        assert package.file is not None
        try:
            with package.file.open("rb") as source:
                return self._fetch(package, source, into, progress)
        except OSError as error:
            raise _failure(error, package.file, into) from error

    def _fetch(self, package: FeedPackage, source: BinaryIO, into: Path, progress: ByteProgress) -> Fetched:
        """The file is read once: a link needs it for the hash only, a copy is written as it is hashed."""
        before = os.fstat(source.fileno())
        assert package.file is not None
        if _linked(package.file, before, into):
            fetched = _read(source, None, before.st_size, progress)
        else:
            with into.open("xb") as copy:
                fetched = _read(source, copy, before.st_size, progress)
        after = os.fstat(source.fileno())
        if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
            raise PackageError(f"{package.file} changed while it was read; run again once it is complete")
        return fetched

    def _files(self) -> Iterator[tuple[PackageFileName, os.DirEntry[str]]]:
        try:
            with os.scandir(self.root) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if named := parse_file_name(entry.name):
                        yield named, entry
                    elif entry.is_dir():
                        yield from _in_folder(entry.path)
        except FileNotFoundError as error:
            raise PackageError(f"feed '{self.name}': there is no folder {self.root}; check its uri") from error
        except OSError as error:
            raise PackageError(
                f"feed '{self.name}': {self.root} cannot be read: {error.strerror}; see its uri and rights"
            ) from error


def _in_folder(folder: str) -> Iterator[tuple[PackageFileName, os.DirEntry[str]]]:
    """A folder below the feed's own; one that may not be read, or has just gone, has no packages."""
    with suppress(PermissionError, FileNotFoundError), os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if named := parse_file_name(entry.name):
                yield named, entry


def _package(named: PackageFileName, entry: os.DirEntry[str]) -> FeedPackage:
    status = entry.stat()
    return FeedPackage(
        id=named.id,
        version=named.version,
        extension=named.extension.lower(),
        size=status.st_size,
        stamp=stamp_of(status),
        file=Path(entry.path),
    )


def _linked(file: Path, status: os.stat_result, into: Path) -> bool:
    """Whether `into` became a second name of the file.

    Only of a file that nobody but this user can write to: else its content could change under the cache.
    """
    if not hasattr(os, "geteuid") or status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return False
    try:
        os.link(os.path.realpath(file), into)
    except FileExistsError:
        raise
    except OSError:
        return False
    linked = into.lstat()
    if (linked.st_dev, linked.st_ino) == (status.st_dev, status.st_ino):
        return True
    into.unlink()
    return False


def _read(source: BinaryIO, copy: BinaryIO | None, size: int, progress: ByteProgress) -> Fetched:
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(CHUNK))
    done = 0
    while count := source.readinto(buffer):  # type: ignore[attr-defined]
        digest.update(buffer[:count])
        if copy:
            copy.write(buffer[:count])
        done += count
        progress(done, size)
    return Fetched(sha256=digest.hexdigest(), size=done)


def _failure(error: OSError, file: Path, into: Path) -> PackageError | StorageError:
    if error.filename in {str(into), None}:
        return StorageError(f"{into.parent} cannot be written: {error.strerror}; free space or check its owner")
    return PackageError(f"{file} cannot be read: {error.strerror}; check its rights")
