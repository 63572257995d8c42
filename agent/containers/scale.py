"""More or fewer of what serves already: the very same image and settings, behind the same proxy."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from agent.containers.cutover import Proxy, Scene, Shape, Strategy, shape_of, strategy_for
from agent.containers.cutover.scene import serving
from agent.containers.labels import SLOT, SPECIFICATION
from agent.containers.replace import replica_name
from agent.containers.undoing import put_right
from agent.errors import ContainerError, InputError
from agent.host import ContainerHost, ContainerInfo, ContainerSpec
from agent.journal import Effects

MOST_REPLICAS = 100


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """How many there shall be. `spec` makes further ones; it is asked for only where none was kept."""

    slot: str
    replicas: int
    spec: Callable[[ContainerInfo], ContainerSpec]


def scale(
    scaling: Scaling,
    host: ContainerHost,
    journal: Effects,
    guard: Callable[[], AbstractContextManager[None]],
    log: Callable[[str], None],
) -> list[str]:
    """The names of those that serve afterwards. If a new one is not healthy, all is as before."""
    running = _by_number(serving(host, scaling.slot))
    shape = dataclasses.replace(_proxied(running, scaling), replicas=scaling.replicas)
    scene = Scene(slot=scaling.slot, host=host, journal=journal, log=log)
    strategy = strategy_for(shape, running, scene)
    strategy.check()
    new: list[ContainerInfo] = []
    kept: set[str] = set()
    with guard():
        try:
            for name in _further_names(running, scaling.replicas):
                new.append(_made(name, running[0], scaling, scene, kept))
                strategy.prepare(new[-1])
                strategy.switch(new, running, [])
            _retire(strategy, running, scaling.replicas)
        except BaseException as failure:
            put_right(strategy, new, running, kept, failure, scene)
            raise
    return [one.name for one in _by_number(serving(host, scaling.slot))]


def require_number(replicas: int) -> None:
    """InputError for a number of containers that cannot be."""
    if not 1 <= replicas <= MOST_REPLICAS:
        raise InputError(f"{replicas} containers cannot be; write 1 to {MOST_REPLICAS}, or use dockwright stop")


def _proxied(running: list[ContainerInfo], scaling: Scaling) -> Shape:
    require_number(scaling.replicas)
    if not running:
        raise InputError(f"nothing serves in the slot {scaling.slot}; deploy to it, or use dockwright start")
    shape = shape_of(running[0].labels)
    if not isinstance(shape.cutover, Proxy) and scaling.replicas > 1:
        raise InputError(
            f"{running[0].name} owns its port alone; several need a proxy before them: deploy with "
            "cutover: {strategy: proxy, …}"
        )
    return shape


def _by_number(containers: list[ContainerInfo]) -> list[ContainerInfo]:
    """`shop-75`, `shop-75-2`, … `shop-75-10`."""
    return sorted(containers, key=lambda one: (len(one.name), one.name))


def _further_names(running: list[ContainerInfo], replicas: int) -> list[str]:
    taken = {one.name for one in running}
    first = running[0].name
    names = (replica_name(first, number) for number in range(2, MOST_REPLICAS * 2))
    free = [name for name in names if name not in taken]
    return free[: max(0, replicas - len(running))]


def _made(name: str, like: ContainerInfo, scaling: Scaling, scene: Scene, kept: set[str]) -> ContainerInfo:
    """One that was kept from before, or a new one from the very image that runs, whatever its tag is now."""
    host = scene.host
    present = host.inspect(name)
    if present is not None and present.labels.get(SLOT) != like.labels.get(SLOT):
        raise ContainerError(f"the name {name} belongs to a container that is not of this slot; remove or rename it")
    if (
        present is not None
        and present.labels.get(SPECIFICATION) == like.labels.get(SPECIFICATION)
        and present.started
    ):
        kept.add(present.id)
        return present
    if present is not None:
        with scene.journal.effect("run", "remove", name):
            host.remove(present.id)
    spec = scaling.spec(like)
    image = host.image(spec.image)
    same = spec.image if image is not None and image.id == like.image_id else like.image_id
    with scene.journal.effect("run", "create", name):
        return host.create(dataclasses.replace(spec, name=name, image=same))


def _retire(strategy: Strategy, running: list[ContainerInfo], replicas: int) -> None:
    going = running[replicas:]
    if going:
        strategy.switch(running[:replicas], [], going)
    for container in going:
        strategy.drain(container)
        strategy.retire(container)
