"""Which cached packages stay: what a running deployment is made of, or one that can be gone back to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from agent.journal import Journal, PackageUse, existing_journal
from agent.packages import Retention, Surplus, remove, surplus

KEPT_DEPLOYMENTS = 4
"""How many good deployments of a slot keep their packages: what runs now, and three that one may go back to."""


def prune_packages(home: Path, retention: Retention, *, apply: bool) -> list[Surplus]:
    """What goes (with `apply`), or would go: never what a running or kept deployment needs.

    Safe beside any number of runs. StorageError where cache or journal cannot be used.
    """
    cache = cache_folder(home)
    with open_needs(home) as needs:
        now = needs.now()
        going = surplus(cache, retention, now.__contains__)
        # Runs begin while we look, so each is asked for again just before it goes.
        return remove(cache, going, lambda sha256: sha256 in needs.now()) if apply else going


def cache_folder(home: Path) -> Path:
    return home / "packages"


class Needs:
    """Which deployments need a content, by its SHA-256."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal

    def now(self) -> Mapping[str, tuple[str, ...]]:
        """The deployments of every content that is needed, as the journal has it at this moment."""
        found: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for use in _kept(self._journal.package_uses() if self._journal else []):
            found[use.sha256][use.deployment] = None
        return {sha256: tuple(deployments) for sha256, deployments in found.items()}


@contextmanager
def open_needs(home: Path) -> Iterator[Needs]:
    """What the journal of a home says, if it has one."""
    with existing_journal(home / "journal.db") as journal:
        yield Needs(journal)


def _kept(uses: Sequence[PackageUse]) -> Iterator[PackageUse]:
    """Of runs that are running, and of the last good ones of each slot of a host; `uses` have the newest first."""
    good: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for use in uses:
        runs = good[use.engine, use.slot]
        if use.state == "succeeded" and use.run not in runs and len(runs) < KEPT_DEPLOYMENTS:
            runs.append(use.run)
        if use.state == "running" or use.run in runs:
            yield use
