"""The docker command line when the connection is cut: what was asked for is done once, or said to have failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from agent.engine.command_line import CommandLineHost
from agent.errors import DockwrightError, HostError
from agent.host import ContainerHost, ContainerSpec, HostAddress
from linux.ssh import SSHShell, connect
from linux.ssh.connection import Patience
from linux.ssh.target import read
from tests.ssh.server import CuttingProxy, SSHServer, cutting

Named = Callable[[str], str]


@pytest.fixture
def proxy(ssh_server: SSHServer) -> Iterator[CuttingProxy]:
    with cutting(ssh_server.port) as proxy:
        yield proxy


@pytest.fixture
def cut_host(ssh_server: SSHServer, proxy: CuttingProxy) -> Iterator[ContainerHost]:
    with closing(connect(HostAddress(url=ssh_server.at(proxy.port).url(engine="cli")))) as host:
        host.platform()
        yield host


@pytest.mark.parametrize("moment", [1, 2, 4, 6, 8])
def test_container_is_made_once_though_the_connection_is_lost(
    cut_host: ContainerHost,
    proxy: CuttingProxy,
    engine_host: ContainerHost,
    base_image: str,
    unique_name: Named,
    moment: int,
) -> None:
    spec = ContainerSpec(
        name=unique_name("cut"),
        image=base_image,
        labels={"dockwright.slot": unique_name("slot")},
        environment={"PASSWORD": "hunter2"},
    )
    proxy.cut_at = proxy.pieces + moment
    made = cut_host.create(spec)
    assert proxy.cuts == 1
    assert [found.id for found in engine_host.find(spec.labels)] == [made.id]
    assert made.environment["PASSWORD"] == "hunter2"


@pytest.mark.parametrize("moment", [2, 5])
def test_container_is_started_stopped_and_removed_though_the_connection_is_lost(
    cut_host: ContainerHost, proxy: CuttingProxy, base_image: str, unique_name: Named, moment: int
) -> None:
    name = unique_name("cut")
    command = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done")
    cut_host.create(ContainerSpec(name=name, image=base_image, command=command))
    for operation in (cut_host.start, lambda each: cut_host.stop(each, 5), cut_host.remove):
        proxy.cut_at = proxy.pieces + moment
        operation(name)
    assert proxy.cuts == 3
    assert cut_host.inspect(name) is None


def test_name_of_another_container_is_not_taken_for_ours(
    cut_host: ContainerHost, proxy: CuttingProxy, base_image: str, unique_name: Named
) -> None:
    name = unique_name("cut")
    cut_host.create(ContainerSpec(name=name, image=base_image, labels={"of": "somebody"}))
    proxy.cut_at = proxy.pieces + 6
    with pytest.raises(DockwrightError, match="is taken by container"):
        cut_host.create(ContainerSpec(name=name, image=base_image, labels={"of": "us"}))


def test_machine_that_stays_away_is_said(ssh_server: SSHServer, proxy: CuttingProxy, unique_name: Named) -> None:
    target = read(HostAddress(url=ssh_server.at(proxy.port).url()))
    with closing(CommandLineHost(SSHShell(target, patience=Patience(away=0.5)))) as host:
        host.platform()
        proxy.refusing = True
        proxy.cut_at = proxy.pieces + 2
        with pytest.raises(HostError, match="SSH"):
            host.start(unique_name("gone"))


def test_machine_that_restarts_is_waited_for(
    cut_host: ContainerHost, proxy: CuttingProxy, base_image: str, unique_name: Named
) -> None:
    name = unique_name("restart")
    cut_host.create(ContainerSpec(name=name, image=base_image, command=("sleep", "60")))
    proxy.away, proxy.cut_at = 2, proxy.pieces + 3
    cut_host.start(name)
    assert proxy.cuts == 1
    found = cut_host.inspect(name)
    assert found is not None
    assert found.running
    cut_host.remove(name)
