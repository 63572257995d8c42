"""Going back: the container that was kept, or the image by its digest, through the same replacement as a deployment.

Without a target it is the last successful deployment before the current one. "Current" and "before" are read
from the journal with earlier rollbacks followed to what they went back to, so that a second rollback goes
further back and never forward by accident.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.containers import (
    CONFIGURATION,
    DEPLOYMENT,
    RUN,
    SLOT,
    SPECIFICATION,
    HealthSettings,
    Proxy,
    Replacement,
    replace,
    serving,
    shape_of,
)
from agent.documents import closest
from agent.errors import ContainerError, InputError
from agent.host import ContainerHost, ContainerInfo, ContainerSpec, HostAddress
from agent.journal import DEPLOYED, Journal, NewRun, RunRecord
from agent.registry import ImageReference, find_credentials
from agent.report import Report
from agent.slot.place import Guard, Place, held, open_place
from agent.slot.serving import serving_order
from agent.step import Outcome

STAGES = ("run",)
KEEP = 1_000_000  # a rollback removes no predecessor
MASK = "********"


@dataclass(frozen=True, kw_only=True)
class RollbackRequest:
    """What the command line asked for. An empty `slot` means the only one there is, an empty `to` the last good."""

    home: Path
    host: HostAddress
    slot: str = ""
    to: str = ""
    wait: float = 600


def rollback(request: RollbackRequest, report: Report) -> Outcome:
    """Put the target's container back in the place of the current one."""
    report.stages(STAGES)
    with open_place(request.home, request.host, report) as place:
        slot = chosen_slot(request.slot, place.journal)
        with held(place, slot, "a rollback", request.wait) as guard:
            target = _target(request.to, place.journal.runs(slot), slot, place.connect)
            outcome = _restore(target, place, guard)
    for name, value in outcome.outputs.items():
        report.set_variable(name, value)
    return outcome


def chosen_slot(wanted: str, journal: Journal) -> str:
    """The slot of that name, or without a name the only one that there is; what runs to its end serves in none."""
    slots = journal.slots()
    if wanted:
        if wanted.lower() not in slots:
            raise InputError(f"nothing was ever deployed to the slot '{wanted}'{closest(wanted, slots)}")
        return wanted.lower()
    if not slots:
        raise InputError(
            "there is nothing to go back to: the journal knows no deployment to this host; see --host and --home"
        )
    served = [slot for slot in slots if any(run.container for run in journal.runs(slot))] or slots
    if len(served) > 1:
        raise InputError(f"several slots are in use; say which with --slot: {', '.join(served)}")
    return served[0]


def _target(to: str, runs: list[RunRecord], slot: str, connected: Callable[[], ContainerHost]) -> RunRecord:
    order = serving_order(runs)
    if not order:
        raise InputError(f"no deployment to the slot {slot} has ever succeeded; there is nothing to go back to")
    current, earlier = order[-1], order[:-1]
    if to:
        return _named(to, [run for run in runs if run.state == "succeeded" and run.kind in DEPLOYED], current)
    if _left_unhealthy(runs, current, connected):
        return current
    if not earlier:
        raise InputError(f"{current.id} is the first that succeeded in the slot {slot}; there is nothing before it")
    return earlier[-1]


def _left_unhealthy(runs: list[RunRecord], current: RunRecord, connected: Callable[[], ContainerHost]) -> bool:
    """A deployment failed and was left as it is (`on-failure: off`), so that the last good one does not serve."""
    latest = next((run for run in runs if run.kind in DEPLOYED), None)
    if latest is None or latest.state != "failed":
        return False
    serve = serving(connected(), latest.slot)
    return bool(serve) and all(one.labels.get(DEPLOYMENT) != current.id for one in serve)


def _named(to: str, runs: list[RunRecord], current: RunRecord) -> RunRecord:
    if to.lower() == current.id.lower():
        raise InputError(
            f"{current.id} is what runs in the slot {current.slot} now; name an earlier one, see dockwright history"
        )
    found = next((run for run in runs if to.lower() in {run.id.lower(), run.release.lower()}), None)
    if found is None:
        known = tuple(dict.fromkeys(run.id for run in runs))
        raise InputError(f"'{to}' never succeeded in the slot {current.slot}{closest(to, known)}")
    return found


def _restore(target: RunRecord, place: Place, guard: Guard) -> Outcome:
    entry = place.journal.begin(NewRun.of(target, "rollback", place.address.url, target=str(target.number)))
    report = place.report
    with entry.noting_failure(), report.stage("run"):
        host = place.connect()
        done = replace(_replacement(target, host), host, entry, guard, report.info)
        report.detail(f"{done.container.name} serves {target.release or target.id} again")
    outputs = {**target.outputs, "Container": done.container.name}
    entry.note(image=target.image, digest=target.digest, configuration=target.configuration)
    entry.finish("succeeded", container=done.container.name, boot_seconds=done.boot_seconds or None, outputs=outputs)
    return Outcome(outputs=outputs, container=done.container.name)


def _replacement(target: RunRecord, host: ContainerHost) -> Replacement:
    kept = host.inspect(target.container)
    if kept is not None and kept.labels.get(SLOT) == target.slot and kept.labels.get(DEPLOYMENT) == target.id:
        return _with_kept(kept, target, host)
    spec = _with_image(_complete(journaled_specification(target), target), target, host)
    replicas = _replicas(spec.labels, target, host)
    return Replacement(slot=target.slot, spec=spec, health=_health(spec.labels), keep=KEEP, replicas=replicas)


def _with_kept(kept: ContainerInfo, target: RunRecord, host: ContainerHost) -> Replacement:
    """The very containers that were kept; where there were fewer than serve now, more like them if that can be."""
    spec = ContainerSpec(name=kept.name, image=kept.image, labels=kept.labels)
    replicas = _replicas(kept.labels, target, host)
    if replicas > 1:
        try:
            known = with_environment(journaled_specification(target), kept)
            spec = dataclasses.replace(known, name=kept.name, image=kept.image_id, labels=kept.labels)
        except ContainerError:
            labels = {SLOT: target.slot, DEPLOYMENT: target.id, SPECIFICATION: kept.labels.get(SPECIFICATION, "")}
            replicas = min(replicas, len(host.find(labels)))
    health = _health(kept.labels)
    return Replacement(slot=target.slot, spec=spec, health=health, keep=KEEP, kept=kept, replicas=replicas)


def _replicas(labels: Mapping[str, str], target: RunRecord, host: ContainerHost) -> int:
    """As many as serve now: going back is no reason to bear less."""
    if not isinstance(shape_of(labels).cutover, Proxy):
        return 1
    return len(serving(host, target.slot)) or shape_of(labels).replicas


def journaled_specification(run: RunRecord) -> ContainerSpec:
    """How the container was made, from the journal, which keeps no secrets: masks may stand in their places."""
    try:
        return msgspec.json.decode(run.specification, type=ContainerSpec)
    except msgspec.DecodeError as error:
        raise ContainerError(f"the container of {run.id} is gone; deploy {run.release or run.id} again") from error


def with_environment(spec: ContainerSpec, like: ContainerInfo) -> ContainerSpec:
    """The same, with what the journal masks taken from a container that was made from it."""
    environment = {
        name: like.environment.get(name, value) if MASK in value else value
        for name, value in spec.environment.items()
    }
    return dataclasses.replace(spec, environment=environment)


def _complete(spec: ContainerSpec, target: RunRecord) -> ContainerSpec:
    secret = [name for name, value in spec.environment.items() if MASK in value]
    if secret:
        raise ContainerError(
            f"the container of {target.id} is gone, and its environment held secrets, which are not kept "
            f"({', '.join(secret)}); deploy {target.release or target.id} again"
        )
    return spec


def _with_image(spec: ContainerSpec, target: RunRecord, host: ContainerHost) -> ContainerSpec:
    """The image under its tag if the host still has the same one, else pulled by digest."""
    present = host.image(spec.image)
    if present is not None and present.labels.get(CONFIGURATION) == target.configuration:
        return spec
    if present is not None and target.digest in {digest.rpartition("@")[2] for digest in present.digests}:
        return spec
    if not target.digest:
        raise ContainerError(f"the image of {target.id} is gone and was never pushed; deploy it again")
    reference = ImageReference.parse(target.image)
    by_digest = str(msgspec.structs.replace(reference, tag="", digest=target.digest))
    host.pull(by_digest, find_credentials(reference.registry), lambda _done, _total: None)
    return dataclasses.replace(spec, image=by_digest)


def _health(labels: Mapping[str, str]) -> HealthSettings:
    return msgspec.json.decode(labels.get(RUN, "{}"), type=HealthSettings)
