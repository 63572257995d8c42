"""What a strategy is: one way for a new container to take the place of an old one, with its undoing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Protocol, assert_never

from agent.containers.cutover.front import Front, front_for
from agent.containers.cutover.scene import Scene, serving
from agent.containers.cutover.settings import Hold, Proxy, Recreate
from agent.containers.cutover.shape import Shape, shape_of
from agent.containers.cutover.start_first import StartFirst
from agent.containers.cutover.stop_first import StopFirst
from agent.host import ContainerInfo


class Strategy(Protocol):
    """The stages of one replacement, in the order in which they are called.

    `new` are the new containers so far, `old` those that served; of these some are `going` now, others `staying`.
    `undo` may be called after a failure anywhere, by the run itself or after its death, and again; so may
    `finish`, once all of `new` are good.
    """

    def check(self) -> None:
        """Before anything is changed, see that it can be done."""
        ...

    def prepare(self, new: ContainerInfo) -> float:
        """Bring the new container as far as it can be while the old one serves; seconds of boot, if it booted."""
        ...

    def switch(
        self, new: Sequence[ContainerInfo], staying: Sequence[ContainerInfo], going: Sequence[ContainerInfo]
    ) -> float:
        """From here on the newest of `new` serves too; seconds of boot, if it booted only now."""
        ...

    def drain(self, old: ContainerInfo) -> None:
        """Let what the old one has begun come to its end."""
        ...

    def retire(self, old: ContainerInfo) -> None:
        """Stop the old one."""
        ...

    def is_good(self, new: ContainerInfo) -> bool:
        """For a recovery: whether a new one becomes healthy."""
        ...

    def finish(self, new: Sequence[ContainerInfo], old: Sequence[ContainerInfo]) -> None:
        """All is well: `new` and nothing else serves."""
        ...

    def undo(self, new: Sequence[ContainerInfo], old: Sequence[ContainerInfo], kept: Collection[str]) -> None:
        """Put everything back: `old` serves as before, `new` is gone, or stopped if its id is in `kept`."""
        ...


def strategy_for(shape: Shape, old: Sequence[ContainerInfo], scene: Scene) -> Strategy:
    """The strategy for containers of this shape in the place of `old`, which may have been run in another way."""
    front = front_for(shape, scene)
    before = _front_before(shape, front, old, scene)
    scene = replace(scene, ask=front.asker() or before.asker())
    if isinstance(shape.cutover, Proxy):
        return StartFirst(front=front, before=before, scene=scene, replicas=shape.replicas)
    return StopFirst(front=front, before=before, scene=scene)


def lead(scene: Scene) -> None:
    """See that what stands before the slot leads to the containers that run now: their addresses may be others."""
    running = [one for one in serving(scene.host, scene.slot) if one.running]
    if running:
        front_for(shape_of(running[0].labels), scene).route(running)


def _front_before(shape: Shape, front: Front, old: Sequence[ContainerInfo], scene: Scene) -> Front:
    """The very same front if the old containers stand behind it too."""
    if not old:
        return front
    earlier = shape_of(old[0].labels)
    return front if _place(earlier) == _place(shape) else front_for(earlier, scene)


def _place(shape: Shape) -> tuple[object, ...]:
    """What makes a front the same one: a backend stays what it is when only the patience with it changes."""
    match shape.cutover:
        case Recreate():
            return ("recreate",)
        case Proxy(haproxy=haproxy, nginx=nginx, backend=backend):
            return ("proxy", haproxy, nginx, backend)
        case Hold(image=image, limit=limit):
            return ("hold", image, limit, shape.ports, shape.networks)
    assert_never(shape.cutover)
