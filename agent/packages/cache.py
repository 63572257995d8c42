"""The package cache: files named by the SHA-256 of their content, and an index of where each came from.

`sha256/ab/abcd….zip` holds the content, `index/…` one small record for each (feed, id, version), whose time is that
of its last use, `incoming/` what is being fetched, `leases/` who uses what. Every write is a rename within one file
system, so any number of processes may share the cache; nothing is flushed to the disk, because each entry is hashed
before its first use in a run and a torn one is fetched again.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
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
from agent.packages.leases import Lease
from agent.packages.stamps import hash_stream, seal_of

SHA256 = "sha256"
INDEX = "index"
LEFTOVER_SECONDS = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class CacheEntry:
    """A file whose content had this hash when its status had this `seal` (see `seal_of`)."""

    path: Path
    sha256: str
    size: int
    seal: str


class PackageCache:
    """A cache below `root`, made at the first use. One object may be used by many threads.

    What it gave stays in the cache at least as long as the object lives.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lease = Lease(root)
        self._lock = threading.Lock()
        self._verified: dict[Path, str] = {}

    def get(self, feed: Feed, package: FeedPackage, progress: ByteProgress) -> CacheEntry:
        """The package's file, hashed in this run: from the cache if it is there and sound, else from the feed.

        PackageError where the feed cannot give it, StorageError where the cache cannot be written.
        """
        try:
            record = self._record(feed, package)
            known = record.sha256 if record and record.stamp == package.stamp else ""
            found = self._kept(known, package.extension) if _SHA256.fullmatch(known) else None
            if found:
                self._note_use(feed, package, known)
            return found or self._fetched(feed, package, progress, known)
        except OSError as error:
            raise StorageError(
                f"the package cache {self._root} cannot be used: {error.strerror}; free space or check its owner"
            ) from error

    def _kept(self, sha256: str, extension: str) -> CacheEntry | None:
        """Held first and looked at then: what is there after that stays."""
        self._hold(sha256)
        return self._sound(sha256, extension)

    def _hold(self, sha256: str) -> None:
        with self._lock:
            self._lease.hold(sha256)

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
            self._hold(fetched.sha256)
            incoming.replace(path)
        finally:
            # Renaming one of two names of a file onto the other leaves both (POSIX).
            incoming.unlink(missing_ok=True)
        seal = seal_of(path.lstat())
        self._verified[path] = seal
        self._note_use(feed, package, fetched.sha256)
        return CacheEntry(path=path, sha256=fetched.sha256, size=fetched.size, seal=seal)

    def _path(self, sha256: str, extension: str) -> Path:
        """The extension is one of a fixed list, and spares programs that are given the file a guess."""
        return self._root / SHA256 / sha256[:2] / f"{sha256}{extension}"

    def _folder(self, *names: str) -> Path:
        folder = self._root
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in names:
            folder /= name
            folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def _record(self, feed: Feed, package: FeedPackage) -> CacheRecord | None:
        """A record that cannot be read is as good as none."""
        with suppress(FileNotFoundError, msgspec.DecodeError):
            return msgspec.json.decode((self._root / INDEX / _key(feed, package)).read_bytes(), type=CacheRecord)
        return None

    def _note_use(self, feed: Feed, package: FeedPackage, sha256: str) -> None:
        record = CacheRecord(
            sha256=sha256, stamp=package.stamp, id=package.id, version=package.version.text, feed=feed.location
        )
        index = self._folder(INDEX)
        beside = index / f".{uuid.uuid4().hex}"
        beside.write_bytes(msgspec.json.encode(record))
        beside.replace(index / _key(feed, package))


class CacheRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a feed's version was when it was fetched. Records of older caches have no names."""

    sha256: str
    stamp: str
    id: str = ""
    version: str = ""
    feed: str = ""


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
