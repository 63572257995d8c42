"""`dockwright scale`: more or fewer containers of what a slot serves: the same image, the same configuration."""

from __future__ import annotations

import getpass
import os
from contextlib import closing
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from agent.containers import DEPLOYMENT, Scaling, scale, serving
from agent.errors import ContainerError, InputError
from agent.guard import guarded
from agent.host import ContainerHost, ContainerInfo, ContainerSpec, HostAddress
from agent.journal import DEPLOYED, Journal, NewRun, RunEntry, RunRecord
from agent.lock import slot_lock
from agent.plugins import connect
from agent.recovery import recover
from agent.report import Report
from agent.rollback import chosen_slot, journaled_specification, waiting, with_environment
from agent.step import Outcome


@dataclass(frozen=True, kw_only=True)
class ScaleRequest:
    """What the command line asked for. An empty `slot` means the only one there is."""

    home: Path
    host: HostAddress
    replicas: int
    slot: str = ""
    wait: float = 600


def scale_slot(request: ScaleRequest, report: Report) -> Outcome:
    """Bring the slot to so many containers, one by one. They are made from the image that runs, by its id."""
    report.stages(("run",))
    with closing(Journal(request.home / "journal.db", report.masker.mask, request.host.url)) as journal:
        slot = chosen_slot(request.slot, journal)
        holder = f"a scaling (process {os.getpid()}, {getpass.getuser()})"
        with slot_lock(request.home, slot, holder, request.wait, waiting(report), host=request.host.url) as lock:
            host = cache(lambda: connect(request.host))
            recover(slot, journal, host, report.warning)
            served = _served(slot, journal, host())
            entry = journal.begin(_new_run(served, request))
            names = _scale(request, served, host(), entry, lock, report)
    outputs = {"Containers": ",".join(names)}
    report.set_variable("Containers", outputs["Containers"])
    return Outcome(outputs=outputs, container=names[0])


def _scale(
    request: ScaleRequest, served: RunRecord, host: ContainerHost, entry: RunEntry, lock: int, report: Report
) -> list[str]:
    scaling = Scaling(slot=served.slot, replicas=request.replicas, spec=partial(_specification, served))
    guard = partial(guarded, request.home, request.host, served.slot, lock)
    try:
        with report.stage("run"):
            names = scale(scaling, host, entry, guard, report.info)
            report.detail(f"{len(names)} serve: {', '.join(names)}")
    except BaseException as error:
        entry.fail(error)
        raise
    entry.finish("succeeded", container=names[0], outputs={"Containers": ",".join(names)})
    return names


def _served(slot: str, journal: Journal, host: ContainerHost) -> RunRecord:
    """The run that made what serves now."""
    found = serving(host, slot)
    if not found:
        raise InputError(f"nothing serves in the slot {slot}; deploy to it, or use dockwright start")
    deployment = found[0].labels.get(DEPLOYMENT, "")
    made = [run for run in journal.runs(slot) if run.kind in DEPLOYED and run.id == deployment]
    if not made:
        raise InputError(f"the journal does not know {deployment or found[0].name}; see --home")
    return next((run for run in made if run.specification), made[0])


def _specification(served: RunRecord, like: ContainerInfo) -> ContainerSpec:
    try:
        return with_environment(journaled_specification(served), like)
    except ContainerError as error:
        raise ContainerError(
            f"the journal does not say how the container of {served.id} was made; deploy it again with run.replicas"
        ) from error


def _new_run(served: RunRecord, request: ScaleRequest) -> NewRun:
    return NewRun(
        id=served.id,
        kind="scale",
        slot=served.slot,
        release=served.release,
        project=served.project,
        environment=served.environment,
        tenant=served.tenant,
        step=served.step,
        host=request.host.url,
        target=str(request.replicas),
    )
