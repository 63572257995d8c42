"""`dockwright stop` and `start`: end what serves in a slot, and bring it back through its health gate.

Both hold the slot and are noted in the journal, as a deployment is; a run that died is put right before.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.commands.owned import Meant, meant
from agent.containers import DEPLOYMENT, RUN, SLOT, SPECIFICATION, HealthSettings, await_healthy
from agent.errors import InputError
from agent.host import ContainerHost, ContainerInfo, ContainerSpec, HostAddress
from agent.journal import Journal, Kind, NewRun, RunEntry
from agent.lock import slot_lock
from agent.plugins import connect
from agent.recovery import recover
from agent.report import Report

DEFAULT_TIMEOUT = 10


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
    with _held(target, report) as (journal, host, found):
        if not found.active:
            report.info(f"{found.containers[0].name} does not run")
            return []
        with _noted("stop", found.active[0], target, journal) as entry:
            for container in found.active:
                with entry.effect("run", "stop", container.name):
                    host.stop(container.id, _timeout(container, target, journal))
                report.info(f"{container.name} is stopped")
        return [container.name for container in found.active]


def start(target: Target, report: Report) -> list[str]:
    """Start what served last, or the one container that is named; the names of those that serve now.

    ContainerError if one does not become good: they are stopped again.
    """
    with _held(target, report) as (journal, host, found):
        chosen = _to_start(found, meant(found.slot, host))
        if not chosen:
            report.info(f"{found.active[0].name} runs already")
            return [container.name for container in found.active]
        with _noted("start", chosen[0], target, journal) as entry:
            for container in chosen:
                _start(container, host, entry)
                report.info(f"{container.name} serves")
        return [container.name for container in chosen]


@contextmanager
def _held(target: Target, report: Report) -> Iterator[tuple[Journal, ContainerHost, Meant]]:
    """The journal, the host, and what is meant, looked at again once the slot is ours."""
    with closing(connect(target.host)) as host, closing(_journal(target.home, report)) as journal:
        slot = meant(target.name, host).slot
        holder = f"a stop or start (process {os.getpid()}, {getpass.getuser()})"
        with slot_lock(target.home, slot, holder, target.wait, lambda other: report.info(f"waiting for {other}")):
            recover(slot, journal, lambda: host, report.warning)
            yield journal, host, meant(target.name, host)


def _journal(home: Path, report: Report) -> Journal:
    return Journal(home / "journal.db", report.masker.mask)


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


def _timeout(container: ContainerInfo, target: Target, journal: Journal) -> int:
    """As asked for now, else as the container was made."""
    if target.timeout is not None:
        return target.timeout
    for run in journal.runs(container.labels[SLOT].lower()):
        if run.container == container.name and run.specification:
            try:
                return msgspec.json.decode(run.specification, type=ContainerSpec).stop_timeout
            except msgspec.DecodeError:
                break
    return DEFAULT_TIMEOUT


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


def _start(container: ContainerInfo, host: ContainerHost, entry: RunEntry) -> None:
    health = msgspec.json.decode(container.labels.get(RUN, "{}"), type=HealthSettings)
    try:
        with entry.effect("run", "start", container.name):
            host.start(container.id)
        with entry.effect("run", "health", container.name):
            await_healthy(host, container.id, health)
    except BaseException:
        with entry.effect("run", "stop", container.name):
            host.stop(container.id, DEFAULT_TIMEOUT)
        raise
