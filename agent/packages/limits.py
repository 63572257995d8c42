"""How much an archive may ask of this machine, counted while it is written, whatever its headers say."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from agent.errors import StorageError
from agent.packages.archives.entry import Refused

DISK_CHECK_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one extraction; `bytes`, `name_bytes` and `free_bytes` in bytes, `depth` in folders.

    `ratio` is bytes written to bytes of the archive, and counts once more than `ratio_from` bytes are written:
    small archives of very even content are honest. `free_bytes` stay free on the disk (as Calamari: 500 MiB).
    """

    bytes: int = 20 << 30
    entries: int = 100_000
    ratio: int = 200
    ratio_from: int = 32 << 20
    depth: int = 64
    name_bytes: int = 1024
    link_bytes: int = 8 << 20
    free_bytes: int = 500 << 20


class Budget:
    """What is left of the limits during one extraction."""

    def __init__(self, limits: Limits, archive_size: int, target: Path) -> None:
        self.limits = limits
        self.written = 0
        self._entries = 0
        self._link_bytes = 0
        self._ratio_bytes = max(limits.ratio_from, limits.ratio * archive_size)
        self._target = target
        self._next_disk_check = 0

    def count_entry(self, names: int) -> None:
        """`names` are those in the tree so far: one entry can bring many folders."""
        self._entries += 1
        if max(self._entries, names) > self.limits.entries:
            raise Refused(f"has more than {self.limits.entries:,} entries")

    def count_link(self, text: int) -> None:
        """Links are kept in memory until all files are written."""
        self._link_bytes += text
        if self._link_bytes > self.limits.link_bytes:
            raise Refused(f"has links of more than {self.limits.link_bytes:,} bytes in all")

    def spend(self, count: int) -> None:
        """Before `count` more bytes are written."""
        self.written += count
        if self.written > self.limits.bytes:
            raise Refused(f"holds more than {self.limits.bytes:,} bytes")
        if self.written > self._ratio_bytes:
            raise Refused(f"grows to more than {self.limits.ratio} times its size, as only a bomb does")
        if self.written > self._next_disk_check:
            self._next_disk_check = self.written + DISK_CHECK_BYTES
            self._check_disk()

    def _check_disk(self) -> None:
        free = shutil.disk_usage(self._target).free
        if free < self.limits.free_bytes + DISK_CHECK_BYTES:
            raise StorageError(
                f"{self._target.parent} has {free / 1e6:,.0f} MB left and {self.limits.free_bytes / 1e6:,.0f} MB "
                "stay free; make room and run again"
            )
