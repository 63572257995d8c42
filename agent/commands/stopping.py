"""`dockwright stop` and `start`: end what serves in a slot, and bring it back through its health gate.

Both hold the slot and are noted in the journal, as a deployment is; a run that died is put right before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.commands.owned import Meant, meant
from agent.containers import DEPLOYMENT, SLOT, SPECIFICATION, Replacement, label_health, replace
from agent.errors import InputError
from agent.host import ContainerInfo, ContainerSpec, HostAddress
from agent.journal import Kind, NewRun, RunEntry
from agent.report import Report
from agent.slot.place import Guard, Place, held, open_place

_REMOVE_NONE = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Target:
    """Which containers, of which host; `timeout` is how long one may take to end, None for its own setting."""

    home: Path
    host: HostAddress
    name: str
    wait: float = 600
    timeout: int | None = None


def stop(target: Target, report: Report) -> list[str]:
    """End what serves, or the one container that is named; the names of those that ran."""
    with _meant(target, report, "a stop") as (place, found, _guard):
        if not found.active:
            report.info(f"{found.containers[0].name} does not run")
            return []
        with _noted("stop", found.active[0], place) as entry:
            for container in found.active:
                with entry.effect("run", "stop", container.name):
                    wait = container.stop_timeout if target.timeout is None else target.timeout
                    place.connect().stop(container.id, wait)
                report.info(f"{container.name} is stopped")
        return [container.name for container in found.active]


def start(target: Target, report: Report) -> list[str]:
    """Start what served last, or the one container that is named; the names of those that serve now.

    The same way as a rollback to it, so with whatever stands before it. ContainerError if it does not become
    good: it is stopped again.
    """
    with _meant(target, report, "a start") as (place, found, guard):
        chosen = _to_start(found, meant(found.slot, place.connect()))
        if not chosen:
            report.info(f"{found.active[0].name} runs already")
            return [container.name for container in found.active]
        first = min(chosen, key=lambda container: len(container.name))
        replacement = Replacement(
            slot=found.slot,
            spec=ContainerSpec(name=first.name, image=first.image, labels=first.labels),
            health=label_health(first),
            keep=_REMOVE_NONE,
            kept=first,
            replicas=len(chosen),
        )
        with _noted("start", first, place) as entry:
            replace(replacement, place.connect(), entry, guard, report.info)
        return sorted(container.name for container in chosen)


@contextmanager
def _meant(target: Target, report: Report, holder: str) -> Iterator[tuple[Place, Meant, Guard]]:
    """What is meant is looked at again once the slot is ours."""
    with open_place(target.home, target.host, report) as place:
        slot = meant(target.name, place.connect()).slot
        with held(place, slot, holder, target.wait) as guard:
            yield place, meant(target.name, place.connect()), guard


@contextmanager
def _noted(kind: Kind, container: ContainerInfo, place: Place) -> Iterator[RunEntry]:
    entry = place.journal.begin(new_run(kind, container, place.address.url))
    with entry.noting_failure():
        yield entry
    entry.finish("succeeded")


def new_run(kind: Kind, container: ContainerInfo, host: str) -> NewRun:
    """A page of the journal for what is done to a container, told by its labels."""
    labels = container.labels
    return NewRun(
        id=labels.get(DEPLOYMENT, container.name),
        kind=kind,
        slot=labels[SLOT].lower(),
        release=labels.get("Octopus.Release.Number", ""),
        project=labels.get("Octopus.Project.Id", ""),
        environment=labels.get("Octopus.Environment.Id", ""),
        tenant=labels.get("Octopus.Deployment.Tenant.Id", ""),
        step=labels.get("Octopus.Step.Name", ""),
        host=host,
        target=container.name,
    )


def _to_start(named: Meant, whole: Meant) -> list[ContainerInfo]:
    """All of the specification that ran last, since there may be several alike; nothing if they serve already."""
    if named.active:
        return []
    if whole.active:
        raise InputError(
            f"{whole.active[0].name} serves in the slot {whole.slot}; go back with dockwright rollback instead"
        )
    ran = [found for found in named.containers if found.started]
    if not ran:
        raise InputError(f"nothing in the slot {named.slot} has ever run; deploy to it")
    last = ran[0].labels.get(SPECIFICATION)
    return [ran[0], *(found for found in ran[1:] if last and found.labels.get(SPECIFICATION) == last)]
