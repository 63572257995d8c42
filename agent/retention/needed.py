"""What the journal says of deployments: those that serve, or that a rollback could go back to, need their images."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from agent.containers import DEPLOYMENT, SLOT
from agent.engine_name import engine_name
from agent.errors import InputError
from agent.host import ContainerInfo
from agent.journal import DEPLOYED, RunRecord
from agent.registry import ImageReference
from agent.slot.serving import serving_order


class Needed:
    """Of all `runs` (newest first), those that need their images.

    They are what serves in a slot of a host and the `keep` before it, those that did not end yet, and those that
    one of the `containers` was made by. Where a slot runs nothing, its images are for others: so many of the last
    stay, too.
    """

    def __init__(self, runs: Sequence[RunRecord], keep: int, containers: Iterable[ContainerInfo] = ()) -> None:
        served = [run for of_slot in _by_slot(runs) for run in (*_served(of_slot, keep), *_made(of_slot, keep))]
        unfinished = [run for run in runs if run.state in ("running", "half-done") and run.kind != "prune"]
        at_work = {(run.slot, run.id) for run in unfinished}
        existing = at_work | {
            (found.labels.get(SLOT, "").lower(), found.labels.get(DEPLOYMENT, "")) for found in containers
        }
        kept = [run for run in runs if (run.slot, run.id) in existing]
        self.slots = {run.slot for run in runs}
        self.busy = bool(unfinished)
        self.deployments = {(run.slot, run.id) for run in served}
        """(slot, deployment) that serves or that a rollback could go back to."""
        self.unfinished = {run.id for run in unfinished}
        needed = (*unfinished, *served, *kept)
        self.references = {normal(run.image) for run in needed if run.image}
        self.configurations = {run.configuration for run in needed if run.configuration}
        self.digests = {run.digest for run in needed if run.digest}


def names_of(runs: Iterable[RunRecord], built: Iterable[str], slots: Collection[str] | None) -> frozenset[str]:
    """The references that were given to what runs of these `slots` (all, if None) made, and to releases' images.

    Not those that a run of another slot made too: it has a say in them.
    """
    own = {normal(run.image) for run in runs if run.image and (slots is None or run.slot in slots)}
    others = set() if slots is None else {normal(run.image) for run in runs if run.image and run.slot not in slots}
    return frozenset((own | set(map(normal, built))) - others)


def normal(reference: str) -> str:
    """`app:1` and `docker.io/library/app:1` are one; what is no reference stays as it is."""
    try:
        return str(ImageReference.parse(reference))
    except InputError:
        return reference


def _by_slot(runs: Sequence[RunRecord]) -> list[list[RunRecord]]:
    """A slot of one host is another than that of the same name on another host."""
    slots: dict[tuple[str, str], list[RunRecord]] = {}
    for run in runs:
        slots.setdefault((engine_name(run.host), run.slot), []).append(run)
    return list(slots.values())


def _served(runs: Sequence[RunRecord], keep: int) -> list[RunRecord]:
    """What serves by the journal, and the `keep` before it."""
    return serving_order(runs)[-(keep + 1) :]


def _made(runs: Sequence[RunRecord], keep: int) -> list[RunRecord]:
    """The last images that were made for others to run."""
    good = [run for run in runs if run.state == "succeeded" and run.kind in DEPLOYED and not run.container]
    return good[: keep + 1]
