"""Every ContainerHost that there is, as a peer of the contract tests.

`peer` is each of them; `real_peer` those with a real engine, for what only an engine can show.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from agent.host import ContainerHost, HostAddress
from agent.testing import MemoryHost
from linux.ssh import connect as connect_ssh
from tests.engine.peers import Peer, behave
from tests.ssh.server import SSHServer

REAL = ("engine", "ssh_api", "ssh_cli")


@pytest.fixture
def memory_peer(unique_name: Callable[[str], str]) -> Peer:
    host = MemoryHost(behaviour=behave)
    host.add_image("base:1")
    return Peer(host=host, image="base:1", registry="registry.test:5000", name=unique_name)


@pytest.fixture
def engine_peer(
    engine_host: ContainerHost, base_image: str, registry: str, unique_name: Callable[[str], str]
) -> Peer:
    return Peer(host=engine_host, image=base_image, registry=registry, name=unique_name)


@pytest.fixture(scope="session")
def ssh_hosts(ssh_server: SSHServer) -> Iterator[dict[str, ContainerHost]]:
    hosts = {engine: connect_ssh(HostAddress(url=ssh_server.url(engine=engine))) for engine in ("api", "cli")}
    yield hosts
    for host in hosts.values():
        host.close()


@pytest.fixture
def ssh_api_peer(
    ssh_hosts: dict[str, ContainerHost], base_image: str, registry: str, unique_name: Callable[[str], str]
) -> Peer:
    return Peer(host=ssh_hosts["api"], image=base_image, registry=registry, name=unique_name)


@pytest.fixture
def ssh_cli_peer(
    ssh_hosts: dict[str, ContainerHost], base_image: str, registry: str, unique_name: Callable[[str], str]
) -> Peer:
    return Peer(host=ssh_hosts["cli"], image=base_image, registry=registry, name=unique_name)


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.system) for name in REAL])
def real_peer(request: pytest.FixtureRequest) -> Peer:
    return request.getfixturevalue(f"{request.param}_peer")  # type: ignore[no-any-return]


@pytest.fixture(params=["memory", *(pytest.param(name, marks=pytest.mark.system) for name in REAL)])
def peer(request: pytest.FixtureRequest) -> Peer:
    return request.getfixturevalue(f"{request.param}_peer")  # type: ignore[no-any-return]


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def lines() -> list[str]:
    return []
