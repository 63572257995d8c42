"""A container engine behind WinRM, through `docker system dial-stdio`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from agent.errors import HostError, RegistryError
from agent.host import BuildRequest, ContainerHost, ContainerSpec, Credentials, HostAddress
from agent.plugins import connect
from linux.sandbox import Sandbox
from tests.windows.winrm.conftest import PASSWORD, Machine, OpenMachine
from tests.winrm import soap
from tests.winrm.settings import Kind, Mishap
from windows.winrm.host import DIAL
from windows.winrm.probe import dial_stdio_works


@contextmanager
def host_behind(machine: Machine, engine: str) -> Iterator[ContainerHost]:
    host = connect(HostAddress(url=f"{machine.server.url}&engine={engine}", password=PASSWORD))
    try:
        yield host
    finally:
        host.close()


@pytest.fixture
def docker_machine(open_machine: OpenMachine, sandbox: Sandbox) -> Machine:
    return open_machine(environment={"DOCKER_HOST": sandbox.host})


@pytest.mark.parametrize("engine", ["api", "auto", "cli"])
def test_engine_is_reached_each_way(docker_machine: Machine, engine: str) -> None:
    with host_behind(docker_machine, engine) as host:
        assert host.platform().os == "linux"
        assert host.address == "127.0.0.1"
        assert "&engine=" in host.url
    assert docker_machine.server.machine.shells == {}


@pytest.mark.parametrize("engine", ["api", "cli"])
def test_image_is_built_each_way(docker_machine: Machine, tmp_path: Path, base_image: str, engine: str) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {base_image}\nCOPY blob /\n", encoding="utf-8")
    (tmp_path / "blob").write_bytes(bytes(range(256)) * 8192)
    lines: list[str] = []
    with host_behind(docker_machine, engine) as host:
        tag = base_image.replace("base", "winrm")
        image = host.build(BuildRequest(context=tmp_path, tags=(tag,)), lines.append)
        assert host.image(tag) == image
    assert any("COPY blob" in line for line in lines)


@pytest.mark.parametrize(
    ("action", "nth"),
    [("Command", 1), ("Receive", 1), ("Receive", 2), ("Command", 2), ("Receive", 3), ("Receive", 4), ("Receive", 5)],
)
def test_no_container_is_left_of_a_creation_that_is_refused_on_the_way(
    docker_machine: Machine,
    engine_host: ContainerHost,
    base_image: str,
    unique_name: Callable[[str], str],
    action: str,
    nth: int,
) -> None:
    name = unique_name("refused")
    spec = ContainerSpec(name=name, image=base_image, labels={"dockwright.slot": name})
    with host_behind(docker_machine, "cli") as host:
        host.platform()
        docker_machine.server.order(Mishap(kind="fault", action=action, nth=nth, code=soap.ACCESS_DENIED))
        made = ""
        with suppress(HostError):
            made = host.create(spec).id
        assert [found.id for found in engine_host.find(spec.labels)] == ([made] if made else [])
        assert docker_machine.server.happened <= 1


@pytest.mark.parametrize("kind", ["drop", "lose"])
def test_container_whose_order_or_answer_is_lost_is_made_once(
    docker_machine: Machine,
    engine_host: ContainerHost,
    base_image: str,
    unique_name: Callable[[str], str],
    kind: Kind,
) -> None:
    name = unique_name("lost")
    spec = ContainerSpec(name=name, image=base_image, labels={"dockwright.slot": name})
    with host_behind(docker_machine, "api") as host:
        host.platform()
        docker_machine.server.order(Mishap(kind=kind, action="Send"))
        made = host.create(spec)
    assert docker_machine.server.happened == 1
    assert [found.id for found in engine_host.find(spec.labels)] == [made.id]


@pytest.mark.parametrize("engine", ["api", "cli"])
def test_registrys_password_lands_nowhere_on_the_machine(
    docker_machine: Machine, base_image: str, engine: str
) -> None:
    server, password = docker_machine.server, "registry-password-7"
    credentials = Credentials(username="anna", password=password)
    seen: list[str] = []
    watching = threading.Event()

    def watch() -> None:
        while not watching.wait(0.01):
            seen.extend(text for path in Path("/proc").glob("[0-9]*/cmdline") if (text := readable(path)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    tag = f"127.0.0.1:9/{base_image.rpartition(':')[0]}:1"
    with host_behind(docker_machine, engine) as host:
        host.tag(base_image, tag)
        with pytest.raises(RegistryError):
            host.push(tag, credentials, lambda _done, _total: None)
    watching.set()
    watcher.join()
    files = [path.read_bytes() for path in server.settings.root.rglob("*") if path.is_file()]
    assert not any(password in text for text in (*seen, *server.machine.lines))
    assert not any(password in value for shell in server.machine.environments for value in shell.values())
    assert not any(password.encode() in content for content in files)
    assert list(server.settings.root.rglob(".dockwright-*")) == []


def readable(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def test_probe_sees_that_dial_stdio_works(docker_machine: Machine) -> None:
    assert dial_stdio_works(docker_machine.shell, DIAL)


@pytest.mark.parametrize("instead", ["cat", "true"])
def test_probe_sees_that_it_does_not(open_machine: OpenMachine, tmp_path: Path, instead: str) -> None:
    program = tmp_path / "docker"
    program.write_text(f"#!/bin/sh\nexec {instead}\n", encoding="utf-8")
    program.chmod(0o755)
    assert not dial_stdio_works(open_machine(programs={"docker": str(program)}).shell, DIAL)


def test_docker_that_is_not_on_the_path_is_told(open_machine: OpenMachine) -> None:
    machine = open_machine(programs={"python": sys.executable})
    with pytest.raises(HostError, match=r"docker\.exe is not on the PATH"), host_behind(machine, "api"):
        pass
    assert machine.server.machine.shells == {}


def test_engine_that_is_off_is_told(open_machine: OpenMachine) -> None:
    machine = open_machine(environment={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    with (
        pytest.raises(HostError, match=r"docker does not reach its engine there: .*nowhere"),
        host_behind(machine, "api"),
    ):
        pass
