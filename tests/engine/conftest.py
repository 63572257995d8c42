"""Every ContainerHost that there is, as a peer of the contract tests.

`peer` is each of them; `real_peer` those with a real engine, for what only an engine can show.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from agent.host import ContainerHost, HostAddress
from agent.testing import MemoryHost
from linux.sandbox import Sandbox
from linux.ssh import connect as connect_ssh
from tests.engine.peers import Peer, behave
from tests.registry.fake_server import FakeServer
from tests.registry.private_registry import guarding
from tests.ssh.server import SSHServer
from tests.winrm.server import prepared, serving
from tests.winrm.settings import Settings
from windows.winrm import connect as connect_winrm

REAL = ("engine", "ssh_api", "ssh_cli", "winrm_api", "winrm_cli")


@pytest.fixture
def memory_peer(unique_name: Callable[[str], str]) -> Peer:
    host = MemoryHost(behaviour=behave)
    host.add_image("base:1")
    return Peer(host=host, image="base:1", registry="registry.test:5000", name=unique_name)


@pytest.fixture
def peer_on(base_image: str, registry: str, unique_name: Callable[[str], str]) -> Callable[[ContainerHost], Peer]:
    """A peer of the real engine, by one way to it."""
    return lambda host: Peer(host=host, image=base_image, registry=registry, name=unique_name)


@pytest.fixture
def engine_peer(engine_host: ContainerHost, peer_on: Callable[[ContainerHost], Peer]) -> Peer:
    return peer_on(engine_host)


@pytest.fixture(scope="session")
def ssh_hosts(ssh_server: SSHServer) -> Iterator[dict[str, ContainerHost]]:
    hosts = {engine: connect_ssh(HostAddress(url=ssh_server.url(engine=engine))) for engine in ("api", "cli")}
    yield hosts
    for host in hosts.values():
        host.close()


@pytest.fixture
def ssh_api_peer(ssh_hosts: dict[str, ContainerHost], peer_on: Callable[[ContainerHost], Peer]) -> Peer:
    return peer_on(ssh_hosts["api"])


@pytest.fixture
def ssh_cli_peer(ssh_hosts: dict[str, ContainerHost], peer_on: Callable[[ContainerHost], Peer]) -> Peer:
    return peer_on(ssh_hosts["cli"])


@pytest.fixture(scope="session")
def winrm_hosts(
    sandbox: Sandbox, tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, ContainerHost]]:
    """By NTLM over HTTP. Whatever was opened on the machine is gone with its hosts."""
    settings = Settings(
        root=prepared(tmp_path_factory.mktemp("machine")),
        password=token_hex(8),
        programs={"docker": tool("docker")},
        environment={"DOCKER_HOST": sandbox.host},
    )
    with serving(settings) as server:
        addresses = {
            e: HostAddress(url=f"{server.url}&engine={e}", password=settings.password) for e in ("api", "cli")
        }
        hosts = {engine: connect_winrm(address) for engine, address in addresses.items()}
        yield hosts
        for host in hosts.values():
            host.close()
        assert server.machine.shells == {}


@pytest.fixture
def winrm_api_peer(winrm_hosts: dict[str, ContainerHost], peer_on: Callable[[ContainerHost], Peer]) -> Peer:
    return peer_on(winrm_hosts["api"])


@pytest.fixture
def winrm_cli_peer(winrm_hosts: dict[str, ContainerHost], peer_on: Callable[[ContainerHost], Peer]) -> Peer:
    return peer_on(winrm_hosts["cli"])


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


@pytest.fixture
def context(tmp_path: Path, base_image: str) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM {base_image}\nCOPY page.html /\n", encoding="utf-8")
    (folder / "page.html").write_text("hello", encoding="utf-8")
    return folder


@pytest.fixture
def private_registry(registry: str) -> Iterator[FakeServer]:
    with guarding(registry) as door:
        yield door
