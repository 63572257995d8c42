"""Put new containers in the place of old ones, and never end with neither.

Everything that can fail beforehand happens beforehand: the image is there, the front answers, the new container
is created. From then on a guard watches. Several replicas are replaced one by one. On any failure the new ones
go and the old ones serve again, the very same containers with their settings. The old ones stay, stopped, for
rollbacks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from agent.containers.cutover import Scene, Strategy, UnhealthyError, shape_of, strategy_for
from agent.containers.cutover.scene import application, restore, serving, serving_of
from agent.containers.fitting import require_fitting
from agent.containers.health import HealthSettings
from agent.containers.labels import DEPLOYMENT, SLOT, SPECIFICATION
from agent.containers.undoing import put_right
from agent.errors import ContainerError, DockwrightError
from agent.host import ContainerHost, ContainerInfo, ContainerSpec
from agent.journal import Effects

__all__ = ["Replaced", "Replacement", "replace", "replica_name", "restore", "serving"]

Log = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """One replacement to make. How, and how many there will be, the labels of `spec` say.

    `kept` is a stopped container to start again instead of creating `spec`; its replicas are found by name.
    `replicas` overrides what the labels say.
    """

    slot: str
    spec: ContainerSpec
    health: HealthSettings
    keep: int
    kept: ContainerInfo | None = None
    replicas: int = 0
    accept: Callable[[], None] | None = None
    """The last word, once the new one is good: if it raises, or does not come to its end, everything is put back."""


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """The (first) container that now serves; `boot_seconds` from its start to its first good answer."""

    container: ContainerInfo
    boot_seconds: float
    unchanged: bool = False


def replace(
    replacement: Replacement,
    host: ContainerHost,
    journal: Effects,
    guard: Callable[[], AbstractContextManager[None]],
    log: Log,
) -> Replaced:
    """Put the new container in the place of what serves in its slot.

    The guard is held while neither may be serving, so that somebody puts the old one back if this process dies.
    """
    replacement = _settled(replacement)
    present = application(host, replacement.slot)
    old = serving_of(present)
    scene = _scene(replacement, host, journal, log)
    shape = dataclasses.replace(shape_of(replacement.spec.labels), replicas=replacement.replicas)
    strategy = strategy_for(shape, old, scene)
    strategy.check()
    if (same := _already(old, replacement)) is not None:
        log(f"{same.name} runs already, with this image and these settings")
        strategy.finish(old, [])
        if replacement.accept:
            replacement.accept()
        return Replaced(container=same, boot_seconds=0, unchanged=True)
    require_fitting(replacement.spec, host, log)
    _remove_leftovers(present, host, journal)
    new = [_prepare(replacement, [], host, journal)]
    with guard():
        try:
            with _last_word(replacement, new[0], journal):
                boot_seconds = _one_by_one(strategy, replacement, new, old, scene)
                if replacement.accept:
                    replacement.accept()
        except BaseException as failure:
            _undo(strategy, new, old, failure, scene)
            raise
    return Replaced(container=_tidied(replacement, new, scene), boot_seconds=boot_seconds)


def replica_name(first: str, number: int) -> str:
    """`shop-deployments-75`, `shop-deployments-75-2`, …"""
    return first if number == 1 else f"{first}-{number}"


def _last_word(replacement: Replacement, new: ContainerInfo, journal: Effects) -> AbstractContextManager[None]:
    """Noted from the beginning, so that a recovery knows that there is one to be had."""
    return journal.effect("run", "accept", new.name) if replacement.accept else nullcontext()


def _settled(replacement: Replacement) -> Replacement:
    replicas = replacement.replicas or shape_of(replacement.spec.labels).replicas
    return dataclasses.replace(replacement, replicas=replicas)


def _scene(replacement: Replacement, host: ContainerHost, journal: Effects, log: Log) -> Scene:
    return Scene(
        slot=replacement.slot,
        host=host,
        journal=journal,
        log=log,
        health=replacement.health,
        on_failure=shape_of(replacement.spec.labels).on_failure,
        wanted_ports=replacement.spec.ports,
    )


def _already(old: list[ContainerInfo], replacement: Replacement) -> ContainerInfo | None:
    wanted = replacement.spec.labels.get(SPECIFICATION)
    if replacement.kept is not None:
        return next((found for found in old if found.id == replacement.kept.id), None)
    same = [found for found in old if found.running and found.labels.get(SPECIFICATION) == wanted]
    return same[0] if same and len(same) == len(old) == replacement.replicas else None


def _remove_leftovers(present: list[ContainerInfo], host: ContainerHost, journal: Effects) -> None:
    """Containers of the slot that were created and never started: whoever made them has died."""
    for found in present:
        if found.state == "created":
            with journal.effect("run", "remove", found.name):
                host.remove(found.id)


def _prepare(
    replacement: Replacement, new: list[ContainerInfo], host: ContainerHost, journal: Effects
) -> ContainerInfo:
    """The next replica, not running yet: one that was kept, or a new one. Their names follow from the first one's."""
    if not new:
        if replacement.kept is not None:
            return replacement.kept
        return _create(replacement.spec, host, journal)
    name = replica_name(new[0].name, len(new) + 1)
    present = host.inspect(name)
    if present is not None and _is_kept(present, replacement):
        return present
    return _create(dataclasses.replace(replacement.spec, name=name), host, journal)


def _is_kept(present: ContainerInfo, replacement: Replacement) -> bool:
    first = replacement.kept
    same = first is not None and first.labels.get(SPECIFICATION) == present.labels.get(SPECIFICATION)
    return same and present.labels.get(SLOT) == replacement.slot and not present.running


def _create(spec: ContainerSpec, host: ContainerHost, journal: Effects) -> ContainerInfo:
    present = host.inspect(spec.name)
    if present is not None:
        spec = _free_name(spec, present, host, journal)
    with journal.effect("run", "create", spec.name):
        return host.create(spec)


def _free_name(spec: ContainerSpec, present: ContainerInfo, host: ContainerHost, journal: Effects) -> ContainerSpec:
    """The name is taken: by a leftover of ours, which goes; by one of ours that runs; or by a stranger."""
    if present.labels.get(SLOT) != spec.labels.get(SLOT):
        raise ContainerError(
            f"the name {spec.name} belongs to a container that is not of this slot; remove or rename it, "
            "or choose another run.name"
        )
    if present.running:
        distinct = spec.labels.get(SPECIFICATION, "")[:8]
        return dataclasses.replace(spec, name=f"{spec.name}-{distinct}")
    with journal.effect("run", "remove", present.name):
        host.remove(present.id)
    return spec


def _one_by_one(
    strategy: Strategy, replacement: Replacement, new: list[ContainerInfo], old: list[ContainerInfo], scene: Scene
) -> float:
    """Replace the replicas in turn; `new` grows with them. Seconds of the first one's boot."""
    if replacement.replicas > 1:
        with scene.journal.effect("run", "replicas", str(replacement.replicas)):
            pass  # so that a recovery knows when all of them are there
    boot_seconds = 0.0
    staying = list(old)
    while True:
        last = len(new) == replacement.replicas
        going = staying if last else staying[:1]
        staying = staying[len(going) :]
        booted = strategy.prepare(new[-1])
        booted += strategy.switch(new, staying, going)
        for container in going:
            strategy.drain(container)
            strategy.retire(container)
        boot_seconds = boot_seconds or booted
        if last:
            strategy.finish(new, [])
            return boot_seconds
        new.append(_prepare(replacement, new, scene.host, scene.journal))


def _undo(
    strategy: Strategy, new: list[ContainerInfo], old: list[ContainerInfo], failure: BaseException, scene: Scene
) -> None:
    """After a failure the old ones serve again, unless the settings say to leave everything as it is."""
    if isinstance(failure, UnhealthyError) and scene.on_failure == "off":
        scene.log(f"warning: {new[-1].name} stays, as run.on-failure is off")
        return
    put_right(strategy, new, old, {container.id for container in new if container.started}, failure, scene)


def _tidied(replacement: Replacement, new: list[ContainerInfo], scene: Scene) -> ContainerInfo:
    """The (first) new one as it now is. It serves, whatever becomes of what is left to be done."""
    try:
        _retire(replacement, new, scene.host, scene.journal)
        return scene.host.inspect(new[0].id) or new[0]
    except DockwrightError as error:
        scene.log(f"warning: {new[0].name} serves, but earlier containers were not cleared away: {error}")
        return new[0]


def _retire(replacement: Replacement, new: list[ContainerInfo], host: ContainerHost, journal: Effects) -> None:
    """Keep the stopped containers of so many deployments, and remove those of earlier ones."""
    ours = {container.id for container in new}
    stopped = [one for one in application(host, replacement.slot) if not one.running and one.id not in ours]
    stopped.sort(key=lambda one: one.finished or one.created, reverse=True)
    groups: dict[tuple[str, str], list[ContainerInfo]] = {}
    for one in stopped:
        group = (one.labels.get(DEPLOYMENT, ""), one.labels.get(SPECIFICATION, ""))
        groups.setdefault(group, []).append(one)
    for surplus in list(groups.values())[max(0, replacement.keep) :]:
        for one in surplus:
            with journal.effect("run", "remove", one.name):
                host.remove(one.id)
