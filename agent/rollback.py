"""Going back: the container that was kept, or the image by its digest, through the same replacement as a deployment.

Without a target it is the last successful deployment before the current one. "Current" and "before" are read
from the journal with earlier rollbacks followed to what they went back to, so that a second rollback goes
further back and never forward by accident.
"""

from __future__ import annotations

import dataclasses
import getpass
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from agent.containers import CONFIGURATION, DEPLOYMENT, RUN, SLOT, HealthSettings, Replacement, replace
from agent.documents import closest
from agent.errors import ContainerError, InputError
from agent.guard import guarded
from agent.host import ContainerHost, ContainerSpec, HostAddress
from agent.journal import DEPLOYED, Journal, NewRun, RunEntry, RunRecord
from agent.lock import slot_lock
from agent.plugins import connect
from agent.recovery import recover
from agent.registry import ImageReference, find_credentials
from agent.report import Report
from agent.serving import serving_order
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
    with closing(Journal(request.home / "journal.db", report.masker.mask)) as journal:
        slot = _slot(request, journal)
        holder = f"a rollback (process {os.getpid()}, {getpass.getuser()})"
        with slot_lock(request.home, slot, holder, request.wait, _waiting(report)) as lock:
            host = cache(lambda: connect(request.host))
            recover(slot, journal, host, report.warning)
            target = _target(request.to, journal.runs(slot), slot)
            entry = journal.begin(_new_run(target, request.host.url))
            outcome = _restore(target, host, entry, report, lambda: guarded(request.home, request.host, slot, lock))
    for name, value in outcome.outputs.items():
        report.set_variable(name, value)
    return outcome


def _slot(request: RollbackRequest, journal: Journal) -> str:
    slots = journal.slots()
    if request.slot:
        if request.slot.lower() not in slots:
            raise InputError(f"nothing was ever deployed to the slot '{request.slot}'{closest(request.slot, slots)}")
        return request.slot.lower()
    if not slots:
        raise InputError("there is nothing to go back to: no deployment is in the journal; see --home")
    if len(slots) > 1:
        raise InputError(f"several slots are in use; say which with --slot: {', '.join(slots)}")
    return slots[0]


def _target(to: str, runs: list[RunRecord], slot: str) -> RunRecord:
    order = serving_order(runs)
    if not order:
        raise InputError(f"no deployment to the slot {slot} has ever succeeded; there is nothing to go back to")
    current, earlier = order[-1], order[:-1]
    if to:
        return _named(to, [run for run in runs if run.state == "succeeded" and run.kind in DEPLOYED], current)
    if not earlier:
        raise InputError(f"{current.id} is the first that succeeded in the slot {slot}; there is nothing before it")
    return earlier[-1]


def _named(to: str, runs: list[RunRecord], current: RunRecord) -> RunRecord:
    if to.lower() == current.id.lower():
        raise InputError(f"{current.id} is what runs in the slot {current.slot} now")
    found = next((run for run in runs if to.lower() in {run.id.lower(), run.release.lower()}), None)
    if found is None:
        known = tuple(dict.fromkeys(run.id for run in runs))
        raise InputError(f"'{to}' never succeeded in the slot {current.slot}{closest(to, known)}")
    return found


def _restore(
    target: RunRecord,
    connected: Callable[[], ContainerHost],
    entry: RunEntry,
    report: Report,
    guard: Callable[[], AbstractContextManager[None]],
) -> Outcome:
    try:
        with report.stage("run"):
            host = connected()
            done = replace(_replacement(target, host), host, entry, guard, report.info)
            report.detail(f"{done.container.name} serves {target.release or target.id} again")
    except BaseException as error:
        entry.fail(error)
        raise
    outputs = {**target.outputs, "Container": done.container.name}
    entry.note(image=target.image, digest=target.digest, configuration=target.configuration)
    entry.finish("succeeded", container=done.container.name, boot_seconds=done.boot_seconds or None, outputs=outputs)
    return Outcome(outputs=outputs, container=done.container.name)


def _replacement(target: RunRecord, host: ContainerHost) -> Replacement:
    kept = host.inspect(target.container)
    if kept is not None and kept.labels.get(SLOT) == target.slot and kept.labels.get(DEPLOYMENT) == target.id:
        spec = ContainerSpec(name=kept.name, image=kept.image, labels=kept.labels)
        return Replacement(slot=target.slot, spec=spec, health=_health(kept.labels), keep=KEEP, kept=kept)
    spec = _kept_specification(target)
    return Replacement(slot=target.slot, spec=_with_image(spec, target, host), health=_health(spec.labels), keep=KEEP)


def _kept_specification(target: RunRecord) -> ContainerSpec:
    """How the container was made, from the journal, which keeps no secrets."""
    try:
        spec = msgspec.json.decode(target.specification, type=ContainerSpec)
    except msgspec.DecodeError as error:
        raise ContainerError(
            f"the container of {target.id} is gone; deploy {target.release or target.id} again"
        ) from error
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
    if not target.digest:
        raise ContainerError(f"the image of {target.id} is gone and was never pushed; deploy it again")
    reference = ImageReference.parse(target.image)
    by_digest = str(msgspec.structs.replace(reference, tag="", digest=target.digest))
    host.pull(by_digest, find_credentials(reference.registry), lambda _done, _total: None)
    return dataclasses.replace(spec, image=by_digest)


def _health(labels: Mapping[str, str]) -> HealthSettings:
    return msgspec.json.decode(labels.get(RUN, "{}"), type=HealthSettings)


def _waiting(report: Report) -> Callable[[str], None]:
    return lambda holder: report.info(f"waiting for {holder}")


def _new_run(target: RunRecord, host: str) -> NewRun:
    return NewRun(
        id=target.id,
        kind="rollback",
        slot=target.slot,
        release=target.release,
        project=target.project,
        environment=target.environment,
        tenant=target.tenant,
        step=target.step,
        host=host,
        target=str(target.number),
    )
