"""`dockwright packages`: what is in the cache, who needs it, and what of it may go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from agent.journal import Journal, PackageUse
from agent.packages import CachedPackage, Retention, Surplus, cached_packages, remove, surplus
from agent.report.wording import duration, size

KEPT_DEPLOYMENTS = 4
"""How many good deployments of a slot keep their packages: what runs now, and three that one may go back to."""


class Held(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """A cached package; `needed_by` are deployments that run or are kept, `reason` why it may go."""

    names: tuple[str, ...]
    sha256: str
    size: int
    used: str
    feeds: tuple[str, ...]
    needed_by: tuple[str, ...] = ()
    reason: str = ""


def held_packages(home: Path) -> list[Held]:
    """Everything that is cached, the latest used first."""
    with _needs(home) as needs:
        return [_held(package, needs) for package in cached_packages(_cache(home))]


def prune(home: Path, retention: Retention, *, apply: bool) -> list[Held]:
    """What goes (with `apply`), or would go: never what a running or kept deployment needs."""
    with _needs(home) as needs:
        going: Sequence[Surplus] = surplus(_cache(home), retention, needs.any)
        if apply:
            going = remove(_cache(home), going, needs.any)
        return [_held(one.package, needs, one.reason) for one in going]


def held_lines(packages: Sequence[Held]) -> list[str]:
    """One line a package, in columns."""
    if not packages:
        return ["no package is cached"]
    rows = [("package", "size", "unused for", "needed by", "from")]
    rows += [
        (
            ", ".join(one.names) or "-",
            size(one.size),
            _unused(one),
            ", ".join(one.needed_by) or "-",
            ", ".join(one.feeds),
        )
        for one in packages
    ]
    return [*_columns(rows), _total(packages)]


def pruned_lines(packages: Sequence[Held], *, applied: bool) -> list[str]:
    """What went or would go, and why."""
    if not packages:
        return ["nothing is to go"]
    rows = [(", ".join(one.names) or one.sha256[:12], size(one.size), one.reason) for one in packages]
    total = _total(packages)
    return [*_columns(rows), f"removed {total}" if applied else f"would remove {total}; add --yes to do it"]


def _total(packages: Sequence[Held]) -> str:
    count = "1 package" if len(packages) == 1 else f"{len(packages):,} packages"
    return f"{count}, {size(sum(one.size for one in packages))}"


def _cache(home: Path) -> Path:
    return home / "packages"


@contextmanager
def _needs(home: Path) -> Iterator[_Needs]:
    path = home / "journal.db"
    journal = Journal(path) if path.exists() else None
    try:
        yield _Needs(journal)
    finally:
        if journal is not None:
            journal.close()


class _Needs:
    """Which deployments need a content, asked of the journal each time: runs begin while we look."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal

    def __call__(self, sha256: str) -> tuple[str, ...]:
        uses = self._journal.package_uses() if self._journal else []
        return tuple(dict.fromkeys(use.deployment for use in _kept(uses) if use.sha256 == sha256))

    def any(self, sha256: str) -> bool:
        return bool(self(sha256))


def _kept(uses: Sequence[PackageUse]) -> Iterator[PackageUse]:
    """Of runs that are running, and of the last good ones of each slot; `uses` have the newest first."""
    good: defaultdict[str, list[int]] = defaultdict(list)
    for use in uses:
        runs = good[use.slot]
        if use.state == "succeeded" and use.run not in runs:
            runs.append(use.run)
        if use.state == "running" or use.run in runs[:KEPT_DEPLOYMENTS]:
            yield use


def _held(package: CachedPackage, needs: _Needs, reason: str = "") -> Held:
    return Held(
        names=package.names,
        sha256=package.sha256,
        size=package.size,
        used=package.used.isoformat(timespec="seconds"),
        feeds=package.feeds,
        needed_by=needs(package.sha256),
        reason=reason,
    )


def _unused(package: Held) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(package.used)).total_seconds()
    return f"{seconds / 86_400:.0f} days" if seconds >= 2 * 86_400 else duration(max(0.0, seconds))


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
