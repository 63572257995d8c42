"""What was uploaded, by its SHA-256: written bit by bit, verified before it counts, and again before it is used.

An upload that is cut goes on where it was. Room is asked for before the first byte is written.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.errors import InputError, StorageError
from agent.lock import exclusive
from agent.service.protocol import Upload

LARGEST = 10_000_000_000
RESERVE = 500_000_000
"""Bytes of the disk that uploads leave free."""

ABANDONED_SECONDS = 24 * 3600
"""An upload that got nothing for so long is forgotten."""


class OffsetError(InputError):
    """Bytes for another place than the upload has come to; `upload` says where it is."""

    def __init__(self, upload: Upload) -> None:
        super().__init__(f"the upload is at byte {upload.offset}; go on there")
        self.upload = upload


class Blobs:
    """Blobs in `folder`, and uploads on their way there in `folder`/partial."""

    def __init__(self, folder: Path, largest: int = LARGEST) -> None:
        self._folder = folder
        self._partial = folder / "partial"
        self._largest = largest

    def has(self, sha256: str) -> bool:
        return (self._folder / sha256).is_file()

    def begin(self, sha256: str, size: int) -> Upload:
        """Begin an upload, or go on with it. InputError if it is too large, StorageError if there is no room."""
        if not 0 <= size <= self._largest:
            raise InputError(f"{size:,} bytes are too many; an upload has at most {self._largest:,}")
        self._partial.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.has(sha256):
            return Upload(sha256=sha256, size=size, offset=size)
        path = self._partial / f"{sha256}.{size}"
        for other in self._partial.glob(f"{sha256}.*"):
            if other.suffix != ".lock" and other != path:
                other.unlink(missing_ok=True)
        offset = path.stat().st_size if path.exists() else 0
        if shutil.disk_usage(self._folder).free < size - offset + RESERVE:
            raise StorageError(f"the agent's disk has no room for {size - offset:,} bytes; free some and push again")
        path.touch(mode=0o600)
        return Upload(sha256=sha256, size=size, offset=offset)

    def append(self, sha256: str, offset: int, data: bytes) -> Upload:
        """Write `data` at `offset`, which must be where the upload is. OffsetError if it is not."""
        with self._held(sha256) as path, path.open("r+b") as file:
            size = _size(path)
            file.seek(0, os.SEEK_END)
            at = Upload(sha256=sha256, size=size, offset=file.tell())
            if offset != at.offset:
                raise OffsetError(at)
            if offset + len(data) > size:
                raise InputError(f"the upload was announced with {size:,} bytes, and more came; begin it again")
            file.write(data)
        return Upload(sha256=sha256, size=size, offset=offset + len(data))

    def commit(self, sha256: str) -> Upload:
        """Make a whole upload a blob. InputError if bytes are missing or are not those that were announced."""
        try:
            return self._committed(sha256)
        except OffsetError as error:
            if self.has(sha256):
                return error.upload  # somebody else has sent it, and was first
            raise

    def verified(self, sha256: str) -> Path:
        """The blob's file, its bytes hashed once more. InputError if it is not here or was changed on disk."""
        path = self._folder / sha256
        if not path.is_file():
            raise InputError(f"the blob {sha256[:12]} is not here; upload it before the deployment that needs it")
        if _hash(path) != sha256:
            path.unlink(missing_ok=True)
            raise StorageError(f"the blob {sha256[:12]} was damaged on the agent's disk and is removed; push again")
        os.utime(path)
        return path

    def prune(self, keep: set[str], largest_total: int) -> None:
        """Forget abandoned uploads, and the blobs not used for longest while there are too many bytes of them."""
        if not self._folder.is_dir():
            return
        for path in self._partial.glob("*"):
            if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                path.unlink(missing_ok=True)
        blobs = sorted((path for path in self._folder.iterdir() if path.is_file()), key=lambda p: p.stat().st_mtime)
        total = sum(path.stat().st_size for path in blobs)
        for path in blobs:
            if total <= largest_total:
                return
            if path.name not in keep:
                total -= path.stat().st_size
                path.unlink(missing_ok=True)

    def _committed(self, sha256: str) -> Upload:
        with self._held(sha256) as path:
            size, actual = _size(path), path.stat().st_size
            if actual != size:
                raise OffsetError(Upload(sha256=sha256, size=size, offset=actual))
            right = _hash(path) == sha256
            if right:
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                path.replace(self._folder / sha256)
            path.unlink(missing_ok=True)
            self._lock(sha256).unlink(missing_ok=True)
        if not right:
            raise InputError("what was uploaded has another SHA-256 than announced; send it again")
        return Upload(sha256=sha256, size=size, offset=size)

    @contextmanager
    def _held(self, sha256: str) -> Iterator[Path]:
        """The upload's file, and nobody else's meanwhile."""
        self._pending(sha256)
        with exclusive(self._lock(sha256)):
            yield self._pending(sha256)

    def _lock(self, sha256: str) -> Path:
        return self._partial / f"{sha256}.lock"

    def _whole(self, sha256: str) -> Upload:
        size = (self._folder / sha256).stat().st_size
        return Upload(sha256=sha256, size=size, offset=size)

    def _pending(self, sha256: str) -> Path:
        found = next((path for path in self._partial.glob(f"{sha256}.*") if path.suffix != ".lock"), None)
        if found is None and self.has(sha256):
            raise OffsetError(self._whole(sha256))  # somebody else has sent it meanwhile
        if found is None:
            raise InputError(f"no upload of {sha256[:12]} was begun; begin it first")
        return found


def _size(path: Path) -> int:
    return int(path.suffix[1:])


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
