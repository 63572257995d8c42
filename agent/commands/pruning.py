"""`dockwright prune`: stopped containers and images that nothing needs any more, by count, with a preview.

What may go is judged in `agent/retention/`; here it is shown, or removed with each slot held.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.commands.owned import owned
from agent.errors import DockwrightError
from agent.host import HostAddress
from agent.journal import NewRun, RunEntry
from agent.report import Report
from agent.report.wording import size
from agent.retention.after import remove_images
from agent.retention.registries import KIND as REGISTRY_IMAGE
from agent.retention.registries import Registries, remove_from_registries, surplus_in_registries
from agent.retention.surplus import SHARED, Surplus, images_of, surplus, surplus_images
from agent.retention.tags import Unneeded, unneeded
from agent.slot.place import Place, held, open_place

KEEP = 3


@dataclass(frozen=True, kw_only=True)
class PruneRequest:
    """`keep` is how many stopped predecessors stay in each slot, and the images of how many.

    `images`: the host's images, its containers are left alone. `registry`: what registries hold. Without either it
    is about the host's containers and images.
    """

    home: Path
    host: HostAddress
    keep: int = KEEP
    wait: float = 600
    images: bool = False
    registry: bool = False


def prune(request: PruneRequest, report: Report, *, apply: bool) -> list[Surplus]:
    """What goes (with `apply`), or would go. What cannot be removed is warned of, and left."""
    with open_place(request.home, request.host, report) as place:
        found: list[Surplus] = []
        if request.images or not request.registry:
            found += _on_host(request, place, apply=apply)
        if request.registry:
            found += _registries(request, place, apply=apply)
        return found


def pruned_lines(found: Sequence[Surplus], *, applied: bool) -> list[str]:
    """What went or would go, and why."""
    if not found:
        return ["nothing is to go"]
    rows = [(one.kind, ", ".join(one.names), one.slot or "every slot", one.reason) for one in found]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    counts = [f"{count} {kind}s" for kind in ("container", "image", REGISTRY_IMAGE) if (count := _count(found, kind))]
    total = " and ".join(counts)
    if local := sum(one.size for one in found):
        total += f", {size(local)} of images"
    return [*lines, f"removed {total}" if applied else f"would remove {total}; add --yes to do it"]


def _on_host(request: PruneRequest, place: Place, *, apply: bool) -> list[Surplus]:
    found = _surplus(request, place)
    if not apply or not found:
        return found
    slots = list(dict.fromkeys(one.slot for one in found if one.slot)) or place.journal.slots()[:1]
    return [one for slot in slots for one in _pruned(slot, request, place)]


def _surplus(request: PruneRequest, place: Place) -> list[Surplus]:
    host, journal = place.connect(), place.journal
    containers, images = owned(host), images_of(host)
    if request.images:
        return surplus_images(images, containers, journal.runs(), request.keep, journal.built())
    return surplus(containers, images, journal.runs(), request.keep, journal.built())


def _pruned(slot: str, request: PruneRequest, place: Place) -> Iterator[Surplus]:
    """What went of one slot: everything is looked at again once the slot is ours."""
    with held(place, slot, "a prune", request.wait):
        found = _surplus(request, place)
        with _noted(slot, place) as entry:
            for one in found:
                if one.slot in (slot, SHARED) and _removed(one, place, entry):
                    yield one


def _removed(one: Surplus, place: Place, entry: RunEntry) -> bool:
    if one.kind != "container":
        return remove_images(one, place.connect(), entry, place.report)
    try:
        with entry.effect("prune", "remove-container", one.names[0]):
            place.connect().remove(one.id)
    except DockwrightError as error:
        place.report.warning(f"{', '.join(one.names)} stays: {error}")
        return False
    return True


def _registries(request: PruneRequest, place: Place, *, apply: bool) -> list[Surplus]:
    """Registries are shared by all hosts of the home, so all its deployments count."""
    host, journal, warning = place.connect(), place.journal, place.report.warning
    registries = Registries(image_cache=request.home / "cache" / "images")

    def known() -> Unneeded:
        return unneeded(journal.all_runs(), request.keep, owned(host), journal.built())

    found = surplus_in_registries(known(), registries, warning)
    if not apply or not found:
        return found
    with _noted(journal.all_runs()[0].slot, place) as entry:
        return list(remove_from_registries(found, known, registries, entry, warning))


@contextmanager
def _noted(slot: str, place: Place) -> Iterator[RunEntry]:
    """In the journal, with its end, whatever that is."""
    entry = place.journal.begin(_new_run(slot, place.address.url))
    with entry.noting_failure():
        yield entry
    entry.finish("succeeded")


def _new_run(slot: str, host: str) -> NewRun:
    nothing = dict.fromkeys(("release", "project", "environment", "tenant", "step"), "")
    return NewRun(id="prune", kind="prune", slot=slot, host=host, **nothing)


def _count(found: Iterable[Surplus], kind: str) -> int:
    return sum(one.kind == kind for one in found)
