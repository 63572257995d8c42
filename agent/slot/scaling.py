"""`dockwright scale`: more or fewer containers of what a slot serves: the same image, the same configuration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agent.containers import DEPLOYMENT, Scaling, require_number, scale, serving
from agent.errors import ContainerError, InputError
from agent.host import ContainerHost, ContainerInfo, ContainerSpec, HostAddress
from agent.journal import DEPLOYED, Journal, NewRun, RunRecord
from agent.report import Report
from agent.slot.place import Guard, Place, held, open_place
from agent.slot.rollback import chosen_slot, journaled_specification, with_environment
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
    require_number(request.replicas)
    with open_place(request.home, request.host, report) as place:
        slot = chosen_slot(request.slot, place.journal)
        with held(place, slot, "a scaling", request.wait) as guard:
            served = _served(slot, place.journal, place.connect())
            names = _scale(request.replicas, served, place, guard)
    outputs = {"Containers": ",".join(names)}
    report.set_variable("Containers", outputs["Containers"])
    return Outcome(outputs=outputs, container=names[0])


def _scale(replicas: int, served: RunRecord, place: Place, guard: Guard) -> list[str]:
    scaling = Scaling(slot=served.slot, replicas=replicas, spec=partial(_specification, served))
    entry = place.journal.begin(NewRun.of(served, "scale", place.address.url, target=str(replicas)))
    report = place.report
    with entry.noting_failure(), report.stage("run"):
        names = scale(scaling, place.connect(), entry, guard, report.info)
        report.detail(f"{len(names)} serve: {', '.join(names)}")
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
