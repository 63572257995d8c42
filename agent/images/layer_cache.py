"""What was read of layers once, so that the next configuration of the same release need not read them again."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from agent.errors import StorageError
from agent.images.listing import VERSION, Listing

_LARGEST: Final = 512 * 1024 * 1024


class LayerCache:
    """Listings by the layer's digest and contents by their own, in `folder`. What is there is verified on use.

    Beyond `largest` bytes the oldest give way.
    """

    def __init__(self, folder: Path, largest: int = _LARGEST) -> None:
        self._folder = folder
        self._largest = largest

    def listing(self, digest: str) -> Listing | None:
        """None if it is not there, or not as this version writes it."""
        try:
            listing = msgspec.msgpack.decode(self._listing_path(digest).read_bytes(), type=Listing)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None
        whole = all(0 <= entry.records < len(listing.records) for entry in listing.entries)
        return listing if listing.version == VERSION and whole else None

    def content(self, sha256: str) -> bytes | None:
        try:
            content = (self._folder / "files" / sha256).read_bytes()
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == sha256 else None

    def keep_content(self, content: bytes) -> str:
        """Its SHA-256. StorageError if the disk does not take it."""
        sha256 = hashlib.sha256(content).hexdigest()
        self._write(self._folder / "files" / sha256, content)
        return sha256

    def keep(self, digest: str, listing: Listing, contents: Mapping[str, bytes]) -> None:
        """StorageError if the disk does not take it."""
        for path, content in contents.items():
            listing.contents[path] = self.keep_content(content)
        self._write(self._listing_path(digest), msgspec.msgpack.encode(listing))
        self._prune()

    def _listing_path(self, digest: str) -> Path:
        return self._folder / "layers" / digest.replace(":", "-")

    def _write(self, path: Path, content: bytes) -> None:
        """Beside, then in its place: another process may write the same at the same time."""
        beside = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, name = tempfile.mkstemp(dir=path.parent)
            beside = Path(name)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            beside.replace(path)
        except OSError as error:
            if beside:
                beside.unlink(missing_ok=True)
            raise StorageError(
                f"{path} cannot be written ({error.strerror}); make room, or see the folder"
            ) from error

    def _prune(self) -> None:
        """Down to half of the bound, the oldest first, once it is passed."""
        kept = sorted(self._kept())
        total = sum(size for _, size, _ in kept)
        if total <= self._largest:
            return
        for _, size, path in kept:
            path.unlink(missing_ok=True)
            total -= size
            if total <= self._largest // 2:
                return

    def _kept(self) -> Iterator[tuple[float, int, Path]]:
        for path in self._folder.glob("*/*"):
            with suppress(OSError):  # another process may have removed it just now
                status = path.stat()
                yield status.st_mtime, status.st_size, path
