"""After a crash: ask the engine what is there, the journal how far the run came, and finish or undo it.

Called with the slot's lock held, so a run that the journal calls running has died. Afterwards one container
serves, the old one or the new one, and nothing half-made is left.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from agent.containers import RUN, SLOT, HealthSettings, await_healthy, restore, serving
from agent.errors import ContainerError
from agent.host import ContainerHost, ContainerInfo
from agent.journal import EffectRecord, Journal, RunRecord

Log = Callable[[str], None]


def recover(slot: str, journal: Journal, connect: Callable[[], ContainerHost], log: Log) -> None:
    """Finish or undo every run of the slot that died, the newest first. The host is reached for only if need be."""
    died = journal.unfinished(slot)
    if not died:
        return
    host = connect()
    for record in died:
        effects = [effect for effect in journal.effects(record) if effect.stage == "run"]
        new = _made(effects, host)
        if new is not None and new.running and _good(new, effects, host):
            log(f"{record.id} had died after {new.name} became healthy; it stays")
            journal.entry(record).finish("succeeded", "the run died at its very end", container=new.name)
        else:
            _undo(record, new, effects, journal, host, log)


def _made(effects: list[EffectRecord], host: ContainerHost) -> ContainerInfo | None:
    """The container that the run created, or (in a rollback) started again."""
    for kind in ("create", "start"):
        names = [effect.name for effect in effects if effect.kind == kind]
        if names:
            return host.inspect(names[0 if kind == "start" else -1])
    return None


def _good(new: ContainerInfo, effects: list[EffectRecord], host: ContainerHost) -> bool:
    if any(effect.kind == "health" and effect.done for effect in effects):
        return True
    health = msgspec.json.decode(new.labels.get(RUN, "{}"), type=HealthSettings)
    try:
        await_healthy(host, new.id, health)
    except ContainerError:
        return False
    return True


def _undo(
    record: RunRecord,
    new: ContainerInfo | None,
    effects: list[EffectRecord],
    journal: Journal,
    host: ContainerHost,
    log: Log,
) -> None:
    entry = journal.entry(record)
    created = any(effect.kind == "create" for effect in effects)
    if new is not None and created and new.labels.get(SLOT) == record.slot:
        with entry.effect("run", "remove", new.name):
            host.remove(new.id)
    elif new is not None and new.running:
        with entry.effect("run", "stop", new.name):
            host.stop(new.id, 10)
    stopped = [effect.name for effect in effects if effect.kind == "stop"]
    if not serving(host, record.slot):
        for old in filter(None, map(host.inspect, stopped)):
            restore(old, host, entry)
            log(f"{record.id} had died; {old.name} serves again")
    entry.finish("interrupted", "the run died; what it had begun was undone")
