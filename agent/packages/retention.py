"""What the cache holds, and what of it may go: by count, age and free disk, never what somebody needs.

What a process is using is held by its lease; what a running or kept deployment is made of is told by the caller.
Both are asked again for each file just before it goes.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from agent.errors import StorageError
from agent.packages.cache import INDEX, SHA256, CacheRecord
from agent.packages.leases import no_new_leases

Needed = Callable[[str], bool]
"""Whether a running or kept deployment needs the content of this SHA-256, as things are now."""


@dataclass(frozen=True, kw_only=True)
class CachedPackage:
    """One file of the cache. `names` are `Id version` of each that it was fetched as, `feeds` from where.

    `size` in bytes, `freed` what its removal would free (0 where the file has another name elsewhere).
    """

    path: Path
    sha256: str
    size: int
    freed: int
    used: datetime
    names: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Retention:
    """What may go: more than `versions` of an id, what was not used for `days`, and as much as makes `free` bytes."""

    versions: int | None = None
    days: float | None = None
    free: int = 0


@dataclass(frozen=True, kw_only=True)
class Surplus:
    """A package that may go, and why."""

    package: CachedPackage
    reason: str


def cached_packages(root: Path) -> list[CachedPackage]:
    """What is in the cache, the latest used first. StorageError where it cannot be read."""
    try:
        records: defaultdict[str, dict[Path, CacheRecord]] = defaultdict(dict)
        for where, record in _records(root).items():
            records[record.sha256][where] = record
        files = [path for path in (root / SHA256).glob("??/*") if len(path.name.partition(".")[0]) == 64]
        packages = [package for path in files if (package := _package(path, records))]
    except OSError as error:
        raise StorageError(f"the package cache {root} cannot be read: {error.strerror}; check its owner") from error
    return sorted(packages, key=lambda package: (package.used, package.sha256), reverse=True)


def surplus(root: Path, retention: Retention, needed: Needed) -> list[Surplus]:
    """What would go, the longest unused first."""
    packages = cached_packages(root)
    crowded = _crowded(packages, retention.versions)
    free_ones = [package for package in reversed(packages) if not needed(package.sha256)]
    found = [Surplus(package=package, reason=_reason(package, retention, crowded)) for package in free_ones]
    going = [one for one in found if one.reason]
    missing = retention.free - _free(root) - sum(one.package.freed for one in going)
    for one in found:
        if missing > 0 and not one.reason and one.package.freed:
            going.append(Surplus(package=one.package, reason="the disk is to have more room"))
            missing -= one.package.freed
    return going


def remove(root: Path, going: Sequence[Surplus], needed: Needed) -> list[Surplus]:
    """Remove these, but none that is in use by now; what was removed. Safe beside any number of processes."""
    return [one for one in going if _removed(root, one.package, needed)]


def _removed(root: Path, package: CachedPackage, needed: Needed) -> bool:
    try:
        with no_new_leases(root) as leased:
            # A run holds its lease until the journal has its packages: one of the two always knows.
            if package.sha256 in leased or needed(package.sha256):
                return False
            package.path.unlink(missing_ok=True)
            for path, record in _records(root).items():
                if record.sha256 == package.sha256:
                    path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{package.path} cannot be removed: {error.strerror}; check its owner") from error
    return True


def _records(root: Path) -> dict[Path, CacheRecord]:
    records: dict[Path, CacheRecord] = {}
    for path in (root / INDEX).iterdir() if (root / INDEX).is_dir() else ():
        with suppress(FileNotFoundError, msgspec.DecodeError):
            records[path] = msgspec.json.decode(path.read_bytes(), type=CacheRecord)
    return records


def _package(path: Path, records: Mapping[str, Mapping[Path, CacheRecord]]) -> CachedPackage | None:
    sha256 = path.name.partition(".")[0]
    ours = records.get(sha256, {})
    try:
        status = path.lstat()
        used = max([where.stat().st_mtime for where in ours if where.exists()], default=status.st_ctime)
    except FileNotFoundError:
        return None
    return CachedPackage(
        path=path,
        sha256=sha256,
        size=status.st_size,
        freed=status.st_size if status.st_nlink == 1 else 0,
        used=datetime.fromtimestamp(used, UTC),
        names=tuple(sorted({f"{record.id} {record.version}" for record in ours.values() if record.id})),
        ids=tuple(sorted({record.id.lower() for record in ours.values() if record.id})),
        feeds=tuple(sorted({record.feed for record in ours.values() if record.feed})),
    )


def _reason(package: CachedPackage, retention: Retention, crowded: frozenset[str]) -> str:
    unused = datetime.now(UTC) - package.used
    if retention.days is not None and unused > timedelta(days=retention.days):
        return f"not used for {unused.days} days"
    if not package.feeds:
        return "no version leads to it any more"
    if package.sha256 in crowded:
        return f"more than {retention.versions} of {', '.join(package.ids)}"
    return ""


def _crowded(packages: Sequence[CachedPackage], versions: int | None) -> frozenset[str]:
    """Those that are not among the latest used ones of any id that they have."""
    if versions is None:
        return frozenset()
    by_id: defaultdict[str, list[str]] = defaultdict(list)
    for package in packages:
        for id_ in package.ids:
            by_id[id_].append(package.sha256)
    kept = {sha256 for found in by_id.values() for sha256 in found[:versions]}
    return frozenset(package.sha256 for package in packages if package.ids and package.sha256 not in kept)


def _free(root: Path) -> int:
    return shutil.disk_usage(root).free if root.exists() else 0
