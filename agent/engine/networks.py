"""The networks that a container joins: looked for before it is made, since an engine misses them at its start.

By then the container that served before has been stopped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote

from agent.engine.failures import absent
from agent.errors import ContainerError
from agent.host import Network

if TYPE_CHECKING:
    from docker import APIClient

_BUILT_IN = ("default", "bridge", "host", "none", "nat", "transparent", "l2bridge")


def require_networks(client: APIClient, networks: Iterable[Network], where: str) -> None:
    """ContainerError for the first one that the engine does not have."""
    for network in networks:
        if is_built_in(network):
            continue
        try:
            client.inspect_network(_quoted(network))
        except absent() as error:
            raise missing(network, where) from error


def join(client: APIClient, container: str, networks: Iterable[Network]) -> None:
    """The networks beyond the one that a container is created with."""
    for network in networks:
        client.connect_container_to_network(container, _quoted(network), aliases=list(network.aliases) or None)


def is_built_in(network: Network) -> bool:
    """Whether every engine of its kind has it, or it is another container's."""
    return network.name in _BUILT_IN or network.name.startswith("container:")


def missing(network: Network, where: str) -> ContainerError:
    return ContainerError(
        f"{where}: there is no network {network.name}; make it (docker network create {network.name}) "
        "or see run.networks"
    )


def _quoted(network: Network) -> str:
    return quote(network.name, safe="")
