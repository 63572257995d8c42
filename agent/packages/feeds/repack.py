"""A source archive as GitHub makes it, without the folder around everything (as Calamari)."""

from __future__ import annotations

import stat
import time
import zipfile
from pathlib import Path

from agent.errors import StorageError
from agent.packages.archives import Entry
from agent.packages.archives.zip import zip_entries
from agent.packages.feeds.feed import Fetched
from agent.packages.limits import Budget, Limits
from agent.packages.stamps import hash_stream

_OLDEST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


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
