"""Where a front reaches a container."""

from __future__ import annotations

from dataclasses import dataclass

from agent.containers.cutover.settings import Proxy
from agent.containers.cutover.shape import shape_of
from agent.errors import ContainerError
from agent.host import ContainerHost, ContainerInfo

_ANYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104  compared, not bound


@dataclass(frozen=True)
class Endpoint:
    """A container's address and port, as seen from the front."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def endpoint_of(container: ContainerInfo, host: ContainerHost) -> Endpoint:
    """Where the proxy finds the container, by its own labels; ContainerError if it has no address now."""
    shape = shape_of(container.labels)
    if isinstance(shape.cutover, Proxy) and shape.cutover.via == "published":
        for port in container.ports:
            if port.container == shape.port and port.host:
                return Endpoint(host.address if port.address in _ANYWHERE else port.address, port.host)
    elif container.addresses:
        return Endpoint(container.addresses[0], shape.port)
    raise ContainerError(
        f"the container {container.name} has no address that requests could be led to; see that it runs and has a "
        "network"
    )
