"""`dockwright packages`: what is in the cache, who needs it, and what of it may go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from agent.packages import CachedPackage, Retention, cached_packages
from agent.report.wording import duration, size
from agent.retention.packages import cache_folder, open_needs, prune_packages

USUAL_VERSIONS = 5


class Held(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """A cached package; `needed_by` are deployments that run or are kept, `reason` why it may go."""

    names: tuple[str, ...]
    sha256: str
    size: int
    used: str
    feeds: tuple[str, ...]
    needed_by: tuple[str, ...] = ()
    reason: str = ""


def chosen(versions: int | None, days: float | None, free: float | None) -> Retention:
    """What options ask for: versions of each id (-1 is all), days unused, gigabytes free; 5 versions if none do."""
    if versions is None and days is None and free is None:
        versions = USUAL_VERSIONS
    return Retention(versions=None if versions == -1 else versions, days=days, free=int((free or 0) * 1e9))


def held_packages(home: Path) -> list[Held]:
    """Everything that is cached, the latest used first."""
    with open_needs(home) as needs:
        now = needs.now()
    return [_held(package, now) for package in cached_packages(cache_folder(home))]


def prune(home: Path, retention: Retention, *, apply: bool) -> list[Held]:
    """What goes (with `apply`), or would go: never what a running or kept deployment needs."""
    return [_held(one.package, {}, one.reason) for one in prune_packages(home, retention, apply=apply)]


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


def _held(package: CachedPackage, needs: Mapping[str, tuple[str, ...]], reason: str = "") -> Held:
    return Held(
        names=package.names,
        sha256=package.sha256,
        size=package.size,
        used=package.used.isoformat(timespec="seconds"),
        feeds=package.feeds,
        needed_by=needs.get(package.sha256, ()),
        reason=reason,
    )


def _unused(package: Held) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(package.used)).total_seconds()
    return f"{seconds / 86_400:.0f} days" if seconds >= 2 * 86_400 else duration(max(0.0, seconds))


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
