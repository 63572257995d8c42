"""What stands before the containers of a slot and decides which of them is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, assert_never

from agent.containers.cutover.scene import Scene
from agent.containers.cutover.settings import Hold, Proxy, Recreate
from agent.containers.cutover.shape import Shape
from agent.containers.health import Ask
from agent.host import ContainerInfo


class Front(Protocol):
    """A proxy, a relay, or nothing. Every method may be called again without harm."""

    def check(self, replicas: int) -> None:
        """Before anything is changed: HostError or InputError if it cannot lead to so many containers."""
        ...

    def prepare(self) -> None:
        """Have everything ready that can be, without touching what serves."""
        ...

    def hold(self) -> None:
        """Let new requests wait; returns when those under way are done or have had their time."""
        ...

    def open(self) -> None:
        """Take the published port, once nobody else has it."""
        ...

    def route(self, containers: Sequence[ContainerInfo]) -> None:
        """Lead new requests to exactly these running containers, and let those go that were held."""
        ...

    def drain(self, container: ContainerInfo) -> None:
        """Wait until nothing is under way to one that is no longer led to, or it has had its time."""
        ...

    def asker(self) -> Ask | None:
        """How it asks a container for its health, if it is nearer to it than the agent."""
        ...

    def leave(self) -> None:
        """Lead to none of the slot's containers any more."""
        ...


class NoFront:
    """The container owns its port."""

    def check(self, replicas: int) -> None: ...
    def prepare(self) -> None: ...
    def hold(self) -> None: ...
    def open(self) -> None: ...
    def route(self, containers: Sequence[ContainerInfo]) -> None: ...
    def drain(self, container: ContainerInfo) -> None: ...
    def asker(self) -> None: ...
    def leave(self) -> None: ...


def front_for(shape: Shape, scene: Scene) -> Front:
    """The front of containers with this shape."""
    match shape.cutover:
        case Recreate():
            return NoFront()
        case Proxy(haproxy=socket) if socket:
            from agent.containers.cutover.haproxy import HAProxyFront

            return HAProxyFront(shape, scene)
        case Proxy():
            from agent.containers.cutover.nginx import NginxFront

            return NginxFront(shape, scene)
        case Hold():
            from agent.containers.cutover.hold import RelayFront

            return RelayFront(shape, scene)
    assert_never(shape.cutover)
