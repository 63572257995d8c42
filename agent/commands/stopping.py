"""`dockwright stop` and `start`: end what serves in a slot, and bring it back through its health gate.

Both hold the slot and are noted in the journal, as a deployment is; a run that died is put right before.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agent.commands.owned import Meant, meant
from agent.containers import DEPLOYMENT, SLOT, SPECIFICATION, Replacement, label_health, replace
from agent.errors import InputError
from agent.guard import guarded
from agent.host import ContainerHost, ContainerInfo, ContainerSpec, HostAddress
from agent.journal import Journal, Kind, NewRun, RunEntry
from agent.lock import slot_lock
from agent.plugins import connect
from agent.recovery import recover
from agent.report import Report

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
    with _held(target, report) as held:
        found = held.found
        if not found.active:
            report.info(f"{found.containers[0].name} does not run")
            return []
        with _noted("stop", found.active[0], target, held.journal) as entry:
            for container in found.active:
                with entry.effect("run", "stop", container.name):
                    wait = container.stop_timeout if target.timeout is None else target.timeout
                    held.host.stop(container.id, wait)
                report.info(f"{container.name} is stopped")
        return [container.name for container in found.active]


def start(target: Target, report: Report) -> list[str]:
    """Start what served last, or the one container that is named; the names of those that serve now.

    The same way as a rollback to it, so with whatever stands before it. ContainerError if it does not become
    good: it is stopped again.
    """
    with _held(target, report) as held:
        chosen = _to_start(held.found, meant(held.found.slot, held.host))
        if not chosen:
            report.info(f"{held.found.active[0].name} runs already")
            return [container.name for container in held.found.active]
        first = min(chosen, key=lambda container: len(container.name))
        replacement = Replacement(
            slot=held.found.slot,
            spec=ContainerSpec(name=first.name, image=first.image, labels=first.labels),
            health=label_health(first),
            keep=_REMOVE_NONE,
            kept=first,
            replicas=len(chosen),
        )
        with _noted("start", first, target, held.journal) as entry:
            guard = partial(guarded, target.home, target.host, held.found.slot, held.lock)
            replace(replacement, held.host, entry, guard, report.info)
        return sorted(container.name for container in chosen)


@dataclass(frozen=True, kw_only=True)
class _Held:
    """The journal, the host, and what is meant, while the slot is ours by the lock of that descriptor."""

    journal: Journal
    host: ContainerHost
    found: Meant
    lock: int


@contextmanager
def _held(target: Target, report: Report) -> Iterator[_Held]:
    """What is meant is looked at again once the slot is ours, and what a run that died has left is put right."""
    with closing(connect(target.host)) as host, closing(_journal(target, report)) as journal:
        slot = meant(target.name, host).slot
        holder = f"a stop or start (process {os.getpid()}, {getpass.getuser()})"
        waiting = partial(_waiting, report)
        with slot_lock(target.home, slot, holder, target.wait, waiting, host=target.host.url) as lock:
            recover(slot, journal, lambda: host, report.warning)
            yield _Held(journal=journal, host=host, found=meant(target.name, host), lock=lock)


def _waiting(report: Report, holder: str) -> None:
    report.info(f"waiting for {holder}")


def _journal(target: Target, report: Report) -> Journal:
    return Journal(target.home / "journal.db", report.masker.mask, target.host.url)


@contextmanager
def _noted(kind: Kind, container: ContainerInfo, target: Target, journal: Journal) -> Iterator[RunEntry]:
    entry = journal.begin(new_run(kind, container, target.host.url))
    try:
        yield entry
    except BaseException as error:
        entry.fail(error)
        raise
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
