"""`dockwright prune`: stopped containers and images that nothing needs any more, by count, with a preview.

Never taken: what runs, what `start` would bring back, the `keep` predecessors of each slot that a rollback could
go back to, and the images of all of these. Where the journal knows nothing of a slot, its images stay.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from agent.commands.owned import ACTIVE, ended, owned, slot_of
from agent.containers import CONFIGURATION, DEPLOYMENT, SLOT
from agent.containers.labels import ROLE
from agent.errors import DockwrightError, InputError
from agent.host import ContainerHost, ContainerInfo, HostAddress, ImageInfo
from agent.journal import Journal, NewRun, RunEntry, RunRecord
from agent.labels import BASE
from agent.lock import slot_lock
from agent.plugins import connect
from agent.recovery import recover
from agent.registry import ImageReference
from agent.report import Report
from agent.report.wording import size
from agent.serving import serving_order

KEEP = 3


class Surplus(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Something that may go. `names` are a container's name, or an image's tags, or its id where it has none."""

    kind: str
    slot: str
    names: tuple[str, ...]
    id: str
    reason: str
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class PruneRequest:
    """`keep` is how many stopped predecessors stay in each slot."""

    home: Path
    host: HostAddress
    keep: int = KEEP
    wait: float = 600


def prune(request: PruneRequest, report: Report, *, apply: bool) -> list[Surplus]:
    """What goes (with `apply`), or would go. What cannot be removed is warned of, and left."""
    with closing(connect(request.host)) as host, closing(_journal(request, report)) as journal:
        found = surplus(owned(host), host.images({SLOT: ""}), journal.runs(), request.keep)
        if not apply:
            return found
        gone: list[Surplus] = []
        for slot in dict.fromkeys(one.slot for one in found):
            gone += _pruned(slot, request, host, journal, report)
        return gone


def surplus(
    containers: Sequence[ContainerInfo], images: Sequence[ImageInfo], runs: Sequence[RunRecord], keep: int
) -> list[Surplus]:
    """What may go of all this; `runs` come newest first."""
    going = [*_surplus_containers(containers, _Needed(runs, keep), keep)]
    gone = {one.id for one in going}
    staying = [found for found in containers if found.id not in gone]
    return [*going, *_surplus_images(images, staying, runs, keep)]


def pruned_lines(found: Sequence[Surplus], *, applied: bool) -> list[str]:
    """What went or would go, and why."""
    if not found:
        return ["nothing is to go"]
    rows = [(one.kind, ", ".join(one.names), one.slot, one.reason) for one in found]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    counts = [f"{count} {kind}s" for kind in ("container", "image") if (count := _count(found, kind))]
    total = f"{' and '.join(counts)}, {size(sum(one.size for one in found))} of images"
    return [*lines, f"removed {total}" if applied else f"would remove {total}; add --yes to do it"]


def _surplus_containers(containers: Iterable[ContainerInfo], needed: _Needed, keep: int) -> Iterator[Surplus]:
    for slot, members in _by_slot(containers).items():
        stopped = [found for found in members if found.state in ("exited", "dead") and ROLE not in found.labels]
        stopped.sort(key=ended, reverse=True)
        serves = any(found.state in ACTIVE and ROLE not in found.labels for found in members)
        for found in stopped[keep if serves else keep + 1 :]:
            if (slot, found.labels.get(DEPLOYMENT, "")) in needed.deployments:
                continue
            reason = f"stopped, and more than {keep} are kept" if keep else "stopped, and none are to be kept"
            yield Surplus(kind="container", slot=slot, names=(found.name,), id=found.id, reason=reason)


def _by_slot(containers: Iterable[ContainerInfo]) -> dict[str, list[ContainerInfo]]:
    slots: dict[str, list[ContainerInfo]] = {}
    for found in containers:
        slots.setdefault(slot_of(found), []).append(found)
    return slots


def _surplus_images(
    images: Sequence[ImageInfo], containers: Iterable[ContainerInfo], runs: Sequence[RunRecord], keep: int
) -> Iterator[Surplus]:
    used = {found.image_id for found in containers}
    needed = _Needed(runs, keep)
    held = [image for image in images if image.id in used or needed.holds(image)]
    bases = {image.labels.get(BASE, "") for image in held}
    for image in images:
        slot = image.labels[SLOT].lower()
        is_base = any(digest.rpartition("@")[2] in bases or digest in bases for digest in image.digests)
        if image in held or is_base or image.id in bases or slot not in needed.slots:
            continue
        tags = tuple(tag for tag in image.tags if _normal(tag) in needed.made)
        if tags == image.tags:
            reason = "no container has it, and no rollback goes back so far"
            names = tags or (image.id,)
            yield Surplus(kind="image", slot=slot, names=names, id=image.id, reason=reason, size=image.size)


class _Needed:
    """What the journal says of images: those that were made, and those that a rollback could go back to."""

    def __init__(self, runs: Sequence[RunRecord], keep: int) -> None:
        self.slots = {run.slot for run in runs}
        self.made = {_normal(run.image) for run in runs if run.image}
        unfinished = [run for run in runs if run.state in ("running", "half-done")]
        served = [run for slot in self.slots for run in _last_served(slot, runs, keep)]
        self.deployments = {(run.slot, run.id) for run in served}
        """(slot, deployment) that serves or that a rollback could go back to."""
        self._unfinished = {run.id for run in unfinished}
        self._references = {_normal(run.image) for run in (*unfinished, *served) if run.image}
        self._configurations = {run.configuration for run in (*unfinished, *served) if run.configuration}

    def holds(self, image: ImageInfo) -> bool:
        return (
            not self._references.isdisjoint(map(_normal, image.tags))
            or image.labels.get(CONFIGURATION, "") in self._configurations
            or image.labels.get(DEPLOYMENT, "") in self._unfinished
        )


def _last_served(slot: str, runs: Sequence[RunRecord], keep: int) -> list[RunRecord]:
    """What serves by the journal, and the `keep` before it."""
    return serving_order([run for run in runs if run.slot == slot])[-(keep + 1) :]


def _normal(reference: str) -> str:
    """`app:1` and `docker.io/library/app:1` are one; what is no reference stays as it is."""
    try:
        return str(ImageReference.parse(reference))
    except InputError:
        return reference


def _pruned(
    slot: str, request: PruneRequest, host: ContainerHost, journal: Journal, report: Report
) -> Iterator[Surplus]:
    """What went of one slot: everything is looked at again once the slot is ours."""
    holder = f"a prune (process {os.getpid()}, {getpass.getuser()})"
    waiting = partial(_waiting, report)
    with slot_lock(request.home, slot, holder, request.wait, waiting, host=request.host.url):
        recover(slot, journal, lambda: host, report.warning)
        found = surplus(owned(host), host.images({SLOT: ""}), journal.runs(), request.keep)
        entry = journal.begin(_new_run(slot, request.host.url))
        try:
            for one in found:
                if one.slot == slot and _removed(one, host, entry, report):
                    yield one
        except BaseException as error:
            entry.fail(error)
            raise
        entry.finish("succeeded")


def _removed(one: Surplus, host: ContainerHost, entry: RunEntry, report: Report) -> bool:
    try:
        for name in one.names:
            with entry.effect("prune", f"remove-{one.kind}", name):
                if one.kind == "container":
                    host.remove(one.id)
                else:
                    host.remove_image(name)
    except DockwrightError as error:
        report.warning(f"{', '.join(one.names)} stays: {error}")
        return False
    return True


def _new_run(slot: str, host: str) -> NewRun:
    nothing = dict.fromkeys(("release", "project", "environment", "tenant", "step"), "")
    return NewRun(id="prune", kind="prune", slot=slot, host=host, **nothing)


def _journal(request: PruneRequest, report: Report) -> Journal:
    return Journal(request.home / "journal.db", report.masker.mask, request.host.url)


def _count(found: Iterable[Surplus], kind: str) -> int:
    return sum(one.kind == kind for one in found)


def _waiting(report: Report, holder: str) -> None:
    report.info(f"waiting for {holder}")
