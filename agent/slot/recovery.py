"""After a crash: ask the engine what is there, the journal how far the run came, and finish or undo it.

Called with the slot's lock held, so a run that the journal calls running has died. Afterwards the old containers
serve, or the new ones do; what stands before them leads there, and nothing half-made is left.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from agent.containers import DEPLOYMENT, SLOT, Scene, Strategy, serving, shape_of, strategy_for
from agent.containers.once import remove_once
from agent.errors import ContainerError
from agent.host import ContainerHost, ContainerInfo, ImageInfo
from agent.journal import EffectRecord, Journal, RunRecord
from agent.labels import TEMPORARY

Log = Callable[[str], None]


def recover(slot: str, journal: Journal, connect: Callable[[], ContainerHost], log: Log) -> None:
    """Finish or undo every run of the slot that died, the newest first. The host is reached for only if need be."""
    died = journal.unfinished(slot)
    if not any(_touches_host(record, journal) for record in died):
        for record in died:
            journal.entry(record).finish("interrupted", "the run died before it had changed anything on a host")
        return
    host = connect()
    for name in remove_once(slot, host):
        log(f"{name} was made for a run that had died; it is gone")
    for record in died:
        _recover(record, journal, host, log)


def _touches_host(record: RunRecord, journal: Journal) -> bool:
    """A step that changes files of its own machine only (their effects are of the stage `files`) needs no host."""
    return any(effect.stage != "files" for effect in journal.effects(record))


def _recover(record: RunRecord, journal: Journal, host: ContainerHost, log: Log) -> None:
    entry = journal.entry(record)
    noted = journal.effects(record)
    for looked_into in _seen(_names([effect for effect in noted if effect.stage == "look"], "create"), host):
        if TEMPORARY in looked_into.labels:
            host.remove(looked_into.id)
    effects = [effect for effect in noted if effect.stage == "run"]
    new = _seen(_names(effects, "create", "start"), host)
    old = _old(record, effects, new, host)
    if new or old:
        ending = {effect.name for effect in effects if effect.kind == "stop" and not effect.done}
        scene = Scene(slot=record.slot, host=host, journal=entry, log=lambda _: None, ending=ending)
        strategy = strategy_for(shape_of((new or old)[0].labels), old, scene)
        if _all_good(record, new, effects, strategy):
            strategy.finish(new, [one for one in old if one.running])
            log(f"{record.id} had died after {new[0].name} became healthy; it stays")
            entry.finish("succeeded", "the run died at its very end", container=new[0].name)
            return
        created = _names(effects, "create")
        strategy.undo(new, old, {one.id for one in new if one.name not in created})
        if old:
            log(f"{record.id} had died; {', '.join(one.name for one in old)} serves again")
    _forget_images(record, noted, journal, host)
    _forget_unfinished(record, noted, host)
    entry.finish("interrupted", "the run died; what it had begun was undone")


def _forget_images(record: RunRecord, effects: list[EffectRecord], journal: Journal, host: ContainerHost) -> None:
    """What was made for that deployment alone serves nobody; what others share is left to retention. If the same
    deployment has succeeded before, its image is needed to go back to it."""
    runs = journal.runs(record.slot)
    if any(run.id == record.id and run.state == "succeeded" for run in runs):
        return
    for reference in _names(effects, "build", "push"):
        if reference.lower().endswith(f"-{record.id.lower()}"):
            _forget(reference, host)
    for pinned in _names([effect for effect in effects if effect.stage == "push"], "pull"):
        image = host.image(pinned)
        if image is not None and not image.tags:  # it died before it gave it the deployment's name
            _forget(pinned, host)


def _forget_unfinished(record: RunRecord, effects: list[EffectRecord], host: ContainerHost) -> None:
    from agent.images.unfinished import remove_as_they_come

    was_cut = any(effect.kind in ("build", "pull") and not effect.done for effect in effects)
    remove_as_they_come(lambda: _unfinished(record, effects, host), host, was_cut=was_cut)


def _unfinished(record: RunRecord, effects: list[EffectRecord], host: ContainerHost) -> list[ImageInfo]:
    from agent.images.unfinished import left_by

    left = left_by([effect for effect in effects if effect.stage == "build"], host)
    if not any(effect.kind in ("build", "push", "pull") for effect in effects):
        return left
    ours = host.images({SLOT: record.slot, DEPLOYMENT: record.id})
    return left + [image for image in ours if not image.tags and not image.digests and image not in left]


def _forget(reference: str, host: ContainerHost) -> None:
    with suppress(ContainerError):  # a container of another slot has the same image
        host.remove_image(reference)


def _names(effects: list[EffectRecord], *kinds: str) -> list[str]:
    return list(dict.fromkeys(effect.name for effect in effects if effect.kind in kinds))


def _seen(names: list[str], host: ContainerHost) -> list[ContainerInfo]:
    return [seen for seen in map(host.inspect, names) if seen is not None]


def _old(
    record: RunRecord, effects: list[EffectRecord], new: list[ContainerInfo], host: ContainerHost
) -> list[ContainerInfo]:
    """Those that served when the run began: it has stopped them, or they still run."""
    ours = {one.id for one in new}
    stopped = _seen(_names(effects, "stop"), host)
    found = {one.id: one for one in [*stopped, *serving(host, record.slot)] if one.id not in ours}
    return list(found.values())


def _all_good(record: RunRecord, new: list[ContainerInfo], effects: list[EffectRecord], strategy: Strategy) -> bool:
    """As many as were wanted, each of them healthy, and accepted by whoever has the last word. A change of their
    number is undone in any case."""
    wanted = max(map(int, _names(effects, "replicas")), default=1)
    accepted = all(effect.done for effect in effects if effect.kind == "accept")
    if record.kind == "scale" or len(new) < wanted or not accepted:
        return False
    judged = {effect.name for effect in effects if effect.kind == "health" and effect.done}
    return all(one.running and (one.name in judged or strategy.is_good(one)) for one in new)
