"""The package cache: files named by the SHA-256 of their content, and an index of where each came from.

`sha256/ab/abcd….zip` holds the content, `index/…` one small record for each (feed, id, version), `incoming/` what is
being fetched. Every write is a rename within one file system, so any number of processes may share the cache
without a lock; nothing is flushed to the disk, because each entry is hashed before its first use in a run and a
torn one is fetched again.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from agent.errors import PackageError, StorageError
from agent.host import ByteProgress
from agent.packages.feeds import Feed, FeedPackage
from agent.packages.stamps import hash_stream, seal_of

LEFTOVER_SECONDS = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class CacheEntry:
    """A file whose content had this hash when its status had this `seal` (see `seal_of`)."""

    path: Path
    sha256: str
    size: int
    seal: str


class PackageCache:
    """A cache below `root`, made at the first use. One object may be used by many threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._verified: dict[Path, str] = {}

    def get(self, feed: Feed, package: FeedPackage, progress: ByteProgress) -> CacheEntry:
        """The package's file, hashed in this run: from the cache if it is there and sound, else from the feed.

        PackageError where the feed cannot give it, StorageError where the cache cannot be written.
        """
        try:
            record = self._record(feed, package)
            known = record.sha256 if record and record.stamp == package.stamp else ""
            found = self._sound(known, package.extension) if _SHA256.fullmatch(known) else None
            return found or self._fetched(feed, package, progress, known)
        except OSError as error:
            raise StorageError(
                f"the package cache {self._root} cannot be used: {error.strerror}; free space or check its owner"
            ) from error

    def _sound(self, sha256: str, extension: str) -> CacheEntry | None:
        """The entry if its content is what its name says; a damaged one is thrown away."""
        path = self._path(sha256, extension)
        try:
            with _open(path) as file:
                status = os.fstat(file.fileno())
                seal = seal_of(status)
                if self._verified.get(path) != seal and hash_stream(file) != sha256:
                    _discard(path, status)
                    return None
        except FileNotFoundError:
            return None
        self._verified[path] = seal
        return CacheEntry(path=path, sha256=sha256, size=status.st_size, seal=seal)

    def _fetched(self, feed: Feed, package: FeedPackage, progress: ByteProgress, known: str) -> CacheEntry:
        """Fetch. Content other than the `known` one, with nothing to show that it was replaced, is damage."""
        incoming = self._folder("incoming") / uuid.uuid4().hex
        _sweep(incoming.parent)
        try:
            fetched = feed.fetch(package, incoming, progress)
            if known not in {"", fetched.sha256}:
                raise PackageError(
                    f"{package.id} {package.version} in feed '{feed.name}' ({feed.location}) is damaged: its content "
                    "changed, its size and time did not; put it there again"
                )
            path = self._path(fetched.sha256, package.extension)
            self._folder(*path.parent.relative_to(self._root).parts)
            incoming.replace(path)
        finally:
            # Renaming one of two names of a file onto the other leaves both (POSIX).
            incoming.unlink(missing_ok=True)
        seal = seal_of(path.lstat())
        self._verified[path] = seal
        self._write_record(feed, package, _Record(sha256=fetched.sha256, stamp=package.stamp))
        return CacheEntry(path=path, sha256=fetched.sha256, size=fetched.size, seal=seal)

    def _path(self, sha256: str, extension: str) -> Path:
        """The extension is one of a fixed list, and spares programs that are given the file a guess."""
        return self._root / "sha256" / sha256[:2] / f"{sha256}{extension}"

    def _folder(self, *names: str) -> Path:
        folder = self._root
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in names:
            folder /= name
            folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def _record(self, feed: Feed, package: FeedPackage) -> _Record | None:
        """A record that cannot be read is as good as none."""
        with suppress(FileNotFoundError, msgspec.DecodeError):
            return msgspec.json.decode((self._root / "index" / _key(feed, package)).read_bytes(), type=_Record)
        return None

    def _write_record(self, feed: Feed, package: FeedPackage, record: _Record) -> None:
        index = self._folder("index")
        beside = index / f".{uuid.uuid4().hex}"
        beside.write_bytes(msgspec.json.encode(record))
        beside.replace(index / _key(feed, package))


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    sha256: str
    stamp: str


_SHA256 = re.compile(r"[0-9a-f]{64}")


def _key(feed: Feed, package: FeedPackage) -> str:
    identity = [feed.location, package.id.lower(), package.version.text.lower(), package.extension]
    return hashlib.sha256(msgspec.json.encode(identity)).hexdigest()


def _open(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)), "rb")


def _discard(path: Path, status: os.stat_result) -> None:
    """Remove the damaged file, unless another process has put a sound one there since."""
    current = path.lstat()
    if (current.st_dev, current.st_ino) == (status.st_dev, status.st_ino):
        path.unlink()


def _sweep(incoming: Path) -> None:
    """Remove what processes that died have left."""
    for file in incoming.iterdir():
        with suppress(FileNotFoundError):
            if time.time() - file.lstat().st_ctime > LEFTOVER_SECONDS:
                file.unlink()
