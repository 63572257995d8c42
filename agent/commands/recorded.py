"""What the journal says of an image: the run that made it, its packages, and which of its values are secret."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from agent.images.opened import OpenImage
from agent.journal import PackageRecord, RunRecord, SecretChange, existing_journal
from agent.labels import BASE


class RecordedImage(msgspec.Struct, frozen=True, kw_only=True):
    """The latest run that made an image, or meant to."""

    run: RunRecord
    packages: tuple[PackageRecord, ...]
    secrets: tuple[SecretChange, ...]


def recorded(image: OpenImage, home: Path) -> RecordedImage | None:
    """The run that pushed this very image, else the latest one that pushed one under this name and tag."""
    return _latest(
        home,
        (
            lambda run: run.digest == image.image.digest,
            lambda run: bool(run.digest) and run.image == str(image.reference),
        ),
    )


def recorded_source(image: OpenImage, home: Path) -> RecordedImage | None:
    """The run that pushed this very image, or the one that it was configured from."""
    base = image.config.labels.get(BASE)
    return _latest(
        home, (lambda run: run.digest == image.image.digest, lambda run: bool(base) and run.digest == base)
    )


def _latest(home: Path, conditions: Sequence[Callable[[RunRecord], bool]]) -> RecordedImage | None:
    """Of the runs that meet the first condition that any meets."""
    with existing_journal(home / "journal.db") as journal:
        runs = journal.runs() if journal else []
        run = next((run for condition in conditions for run in runs if condition(run)), None)
        if journal is None or run is None:
            return None
        return RecordedImage(
            run=run,
            packages=tuple(journal.packages(run)),
            secrets=tuple(journal.secret_changes(run)),
        )
