"""A file that is being fetched: hashed as it is written, resumed where it broke off, held against what was said."""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from agent.errors import PackageError, StorageError
from agent.host import ByteProgress
from agent.packages.web.failures import Passing

LARGEST = 20 << 30
FREE_BYTES = 500 << 20
DISK_CHECK_BYTES = 64 << 20
GRACE_SECONDS = 60.0
SLOWEST_BYTES_PER_SECOND = 1_000


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the feed says of a file: `size` in bytes or 0, `hash` as `sha256:…` (or sha512, sha1), in hex, or ""."""

    size: int = 0
    hash: str = ""


@dataclass(frozen=True, kw_only=True)
class Downloaded:
    """What was written; `sha256` in lower-case hex."""

    sha256: str
    size: int


class Partial:
    """The new file `into` while it grows: `done` of `total` bytes (0 while unknown), since `began`."""

    def __init__(self, into: Path, expected: Expected, progress: ByteProgress) -> None:
        self.done = 0
        self._into = into
        self._expected = expected
        self._progress = progress
        self._algorithm = expected.hash.partition(":")[0]
        self._validator = ""
        self.total = 0
        self.began = time.monotonic()
        self._next_disk_check = 0
        self._started = 0.0
        self._done_before = 0
        self._file: BinaryIO
        self._hashes: list[hashlib._Hash] = []

    def __enter__(self) -> Partial:
        try:
            self._file = self._into.open("xb")
        except OSError as error:
            raise self._storage_error(error) from error
        self._fresh_hashes()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is not None:
            self._into.unlink(missing_ok=True)

    def range_headers(self) -> dict[str, str]:
        """Ask for the rest only, if it would surely be the rest of the same."""
        if self.done and self._validator:
            return {"Range": f"bytes={self.done}-", "If-Range": self._validator}
        return {}

    def restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self.done = 0
        self._fresh_hashes()

    def begin(self, status: int, headers: Mapping[str, str], where: str) -> None:
        """An answer has come; its body follows."""
        length = headers.get("content-length", "")
        rest = int(length) if length.isascii() and length.isdigit() and len(length) < 16 else None
        if status == 206:
            self._require_rest(headers.get("content-range", ""))
        else:
            self.restart()
        self.total = 0 if rest is None else self.done + rest
        self._validator = _validator(headers)
        expected = self._expected.size
        if expected and self.total and self.total != expected:
            raise PackageError(f"{where} has {self.total:,} bytes, the feed says {expected:,}; it is not used")
        if self.total > LARGEST:
            raise PackageError(f"{where} has {self.total:,} bytes, which is too much; it is not fetched")
        self._require_room(self.total - self.done)
        self._started, self._done_before = time.monotonic(), self.done

    def write(self, piece: bytes, where: str) -> None:
        if self.done + len(piece) > (self._expected.size or LARGEST):
            raise PackageError(f"{where} is longer than the feed says ({self._expected.size or LARGEST:,} bytes)")
        try:
            self._file.write(piece)
        except OSError as error:
            raise self._storage_error(error) from error
        for digest in self._hashes:
            digest.update(piece)
        self.done += len(piece)
        if self.done > self._next_disk_check:
            self._next_disk_check = self.done + DISK_CHECK_BYTES
            self._require_room(0)
        self._progress(self.done, self.total or self._expected.size)
        seconds = time.monotonic() - self._started - GRACE_SECONDS
        if seconds > 0 and self.done - self._done_before < seconds * SLOWEST_BYTES_PER_SECOND:
            raise Passing("it came too slowly")

    def require_whole(self, *, chunked: bool) -> None:
        """Passing if the connection ended before the file did."""
        total = self.total or self._expected.size
        if total and self.done < total and not chunked:
            raise Passing(f"cut off after {self.done:,} of {total:,} bytes")

    def finish(self, where: str) -> Downloaded:
        """PackageError unless length and hash are as the feed said."""
        try:
            self._file.flush()
        except OSError as error:
            raise self._storage_error(error) from error
        if self._expected.size and self.done != self._expected.size:
            raise PackageError(
                f"{where} has {self.done:,} bytes, the feed says {self._expected.size:,}; it is not used"
            )
        sha256 = self._hashes[0].hexdigest()
        found, wanted = self._hashes[-1].hexdigest(), self._expected.hash.partition(":")[2].lower()
        if wanted and found != wanted:
            raise PackageError(
                f"{where} has {self._algorithm} {found[:16]}…, the feed says {wanted[:16]}…; it is damaged or not "
                "what the feed meant, and is not used"
            )
        self._progress(self.done, self.done)
        return Downloaded(sha256=sha256, size=self.done)

    def _fresh_hashes(self) -> None:
        others = [] if self._algorithm in {"", "sha256"} else [self._algorithm]
        self._hashes = [hashlib.new(name, usedforsecurity=False) for name in ("sha256", *others)]

    def _require_rest(self, content_range: str) -> None:
        match = re.fullmatch(r"bytes ([0-9]{1,15})-[0-9]{1,15}/([0-9]{1,15}|[*])", content_range.strip())
        if not match or int(match[1]) != self.done:
            self.restart()
            self._validator = ""
            raise Passing("another part than the one asked for")

    def _require_room(self, more: int) -> None:
        free = shutil.disk_usage(self._into.parent).free
        if free < more + FREE_BYTES:
            raise StorageError(
                f"{self._into.parent} has {free / 1e6:,.0f} MB left, {more / 1e6:,.0f} MB are to come and "
                f"{FREE_BYTES / 1e6:,.0f} MB stay free; make room and run again"
            )

    def _storage_error(self, error: OSError) -> StorageError:
        return StorageError(f"{self._into.parent} cannot be written: {error.strerror}; free space or check its owner")


def _validator(headers: Mapping[str, str]) -> str:
    """What tells whether the file is still the same: a strong ETag, else its date."""
    tag = headers.get("etag", "").strip()
    if tag.startswith('"') and tag.isascii() and tag.isprintable():
        return tag
    date = headers.get("last-modified", "").strip()
    return date if date.isascii() and date.isprintable() and len(date) < 100 else ""
