"""What only the docker command line has to take care of: logins, secrets in sight of others, and its own words."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.errors import BuildError, ContainerError, HostError, RegistryError
from agent.host import BuildRequest, ContainerHost, ContainerSpec, Credentials, HostAddress, Network
from linux.sandbox import Sandbox
from linux.ssh import connect
from tests.engine.peers import no_lines, no_progress
from tests.registry.fake_server import FakeServer
from tests.registry.private_registry import JANE
from tests.ssh.server import serving

Named = Callable[[str], str]


@dataclass
class Watched:
    """A host by the docker program, each call of which is written down. `home` is the login's own folder."""

    host: ContainerHost
    calls: Path
    home: Path

    def arguments(self) -> str:
        return self.calls.read_text(encoding="utf-8") if self.calls.exists() else ""


@pytest.fixture
def watched(sandbox: Sandbox, tmp_path: Path) -> Iterator[Watched]:
    folder = tmp_path / "sshd"
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "docker"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {folder}/calls\nexec {shutil.which("docker")} "$@"\n', encoding="utf-8"
    )
    program.chmod(0o755)
    with (
        serving(
            folder, sandbox.host.removeprefix("unix://"), within=["env", f"PATH={folder}/bin:/usr/bin:/bin"]
        ) as server,
        closing(connect(HostAddress(url=server.url(engine="cli")))) as host,
    ):
        yield Watched(host, folder / "calls", Path("~").expanduser())


def test_logins_serve_one_command_and_leave_nothing_behind(
    watched: Watched, context: Path, private_registry: FakeServer, unique_name: Named
) -> None:
    host, tag = watched.host, f"{private_registry.name}/{unique_name('app')}:1"
    built = host.build(BuildRequest(context=context, tags=(tag,)), no_lines)
    assert host.push(tag, JANE, no_progress).startswith("sha256:")
    host.remove_image(tag)
    assert host.pull(tag, JANE, no_progress).id == built.id
    for credentials in (None, Credentials(username="jane", password="wr0ng")):
        with pytest.raises(RegistryError, match=r"other credentials|may not use it"):
            host.push(tag, credentials, no_progress)
    assert JANE.password not in watched.arguments()
    assert "wr0ng" not in watched.arguments()
    assert not list(watched.home.glob(".dockwright-login-*"))


def test_private_base_image_is_pulled_for_a_build(
    watched: Watched, context: Path, private_registry: FakeServer, unique_name: Named
) -> None:
    host, base = watched.host, f"{private_registry.name}/{unique_name('base')}:1"
    built = host.build(BuildRequest(context=context, tags=(base,)), no_lines)
    host.push(base, JANE, no_progress)
    host.remove_image(base)
    (context / "Dockerfile").write_text(f"FROM {base}\n", encoding="utf-8")
    request = BuildRequest(context=context, tags=(), credentials={private_registry.name: JANE}, pull=True)
    assert host.build(request, no_lines).id == built.id
    host.remove_image(base)
    with pytest.raises(BuildError, match=r"^Dockerfile:1: FROM \S+: "):
        host.build(BuildRequest(context=context, tags=()), no_lines)
    assert JANE.password not in watched.arguments()


def test_environment_is_seen_in_no_list_of_processes(watched: Watched, base_image: str, unique_name: Named) -> None:
    values = {"PASSWORD": "hunter2 $x 'y' \"z\"", "EMPTY": "", "UMLAUT": "Grüße"}
    spec = ContainerSpec(name=unique_name("env"), image=base_image, environment=values)
    assert watched.host.create(spec).environment.items() >= values.items()
    assert "hunter2" not in watched.arguments()


def test_value_of_several_lines_is_refused_before_anything_is_made(
    watched: Watched, base_image: str, unique_name: Named
) -> None:
    spec = ContainerSpec(name=unique_name("env"), image=base_image, environment={"KEY": "-----BEGIN\nhunter2"})
    with pytest.raises(ContainerError, match="KEY has several lines") as refused:
        watched.host.create(spec)
    assert "hunter2" not in str(refused.value)
    assert watched.host.inspect(spec.name) is None


def test_container_that_cannot_join_its_networks_is_not_left_behind(
    watched: Watched, base_image: str, unique_name: Named
) -> None:
    networks = (Network(name="bridge"), Network(name=unique_name("missing")))
    spec = ContainerSpec(name=unique_name("net"), image=base_image, networks=networks)
    with pytest.raises(ContainerError, match=networks[1].name):
        watched.host.create(spec)
    assert watched.host.inspect(spec.name) is None


def test_failing_instruction_is_named_with_its_line(watched: Watched, context: Path) -> None:
    with (context / "Dockerfile").open("a", encoding="utf-8") as dockerfile:
        dockerfile.write("RUN echo compiling && exit 7\n")
    with pytest.raises(BuildError, match=r"^Dockerfile:3: RUN echo compiling && exit 7: exited with 7$") as failed:
        watched.host.build(BuildRequest(context=context, tags=()), no_lines)
    assert "compiling" in failed.value.output


def test_build_is_given_up_when_its_time_is_up(watched: Watched, context: Path) -> None:
    with (context / "Dockerfile").open("a", encoding="utf-8") as dockerfile:
        dockerfile.write("RUN sleep 60\n")
    with pytest.raises(BuildError, match="had not ended after 2 s and was cancelled"):
        watched.host.build(BuildRequest(context=context, tags=(), timeout=2), no_lines)


def test_build_secrets_are_refused_with_what_to_do(watched: Watched, context: Path) -> None:
    with pytest.raises(HostError, match="engine=api"):
        watched.host.build(BuildRequest(context=context, tags=(), secrets={"t": "hunter2"}), no_lines)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 127", "no docker program"),
        ("echo 'Cannot connect to the Docker daemon at unix:///x. Is it running?' >&2; exit 1", "start Docker"),
        (
            "echo 'permission denied while trying to connect to the Docker daemon socket' >&2; exit 1",
            "join the group",
        ),
        ("echo '{'", "not understood"),
    ],
)
@pytest.mark.parametrize("engine", ["auto", "api", "cli"])
def test_machine_without_a_usable_engine_says_what_is_missing(
    tmp_path: Path, script: str, said: str, engine: str
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (tmp_path / "bin" / "docker").chmod(0o755)
    with (
        serving(tmp_path, within=["env", f"PATH={tmp_path}/bin:/usr/bin:/bin"]) as server,
        pytest.raises(HostError, match=said),
        closing(connect(HostAddress(url=server.url(engine=engine)))) as host,
    ):
        host.platform()
