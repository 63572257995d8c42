"""What every ContainerHost does, whatever stands behind it."""

from __future__ import annotations

import io
import socket
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import pytest

from agent.errors import BuildError, ContainerError, RegistryError
from agent.host import BuildRequest, ContainerHost, ContainerSpec, Port
from agent.testing import Behaviour, Execution, MemoryHost

RUNS = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done")
FAILS = ("sh", "-c", "echo out; echo last words >&2; exit 3")
TALKS = ("sh", "-c", "echo one; sleep 0.3; printf two >&2; exit 4")
GREETS = ("sh", "-c", "echo hello; echo oops >&2; exit 5")
HANGS = ("sh", "-c", "echo begun; sleep 30")
WRITES = ("sh", "-c", "mkdir /results && echo fine > /results/report.txt")


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A host under test: with `image` on it, and a `registry` that it can push to."""

    host: ContainerHost
    image: str
    registry: str
    name: Callable[[str], str]

    def spec(
        self, *command: str, hint: str = "c", ports: tuple[Port, ...] = (), restart: str = "no"
    ) -> ContainerSpec:
        return ContainerSpec(
            name=self.name(hint),
            image=self.image,
            command=command or RUNS,
            ports=ports,
            restart=restart,  # type: ignore[arg-type]
            stop_timeout=2,
        )

    def started(self, *command: str, ports: tuple[Port, ...] = ()) -> str:
        spec = self.spec(*command, ports=ports)
        self.host.create(spec)
        self.host.start(spec.name)
        return spec.name


def _behave(spec: ContainerSpec) -> Behaviour:
    if spec.command == FAILS:
        return Behaviour(exits_with=3, output=("out", "last words"))
    if spec.command == WRITES:
        return Behaviour(exits_with=0, files={"/results/report.txt": b"fine\n"})
    if spec.command == TALKS:
        return Behaviour(exits_with=4, output=("one", "two"))
    return Behaviour(programs=_execute)


def _execute(command: tuple[str, ...]) -> Execution:
    if command == GREETS:
        return Execution(exit_code=5, output=("hello", "oops"))
    return Execution(exit_code=None, output=("begun",)) if command == HANGS else Execution(exit_code=127)


@pytest.fixture
def memory_peer(unique_name: Callable[[str], str]) -> Peer:
    host = MemoryHost(behaviour=_behave)
    host.add_image("base:1")
    return Peer(host=host, image="base:1", registry="registry.test:5000", name=unique_name)


@pytest.fixture
def engine_peer(
    engine_host: ContainerHost, base_image: str, registry: str, unique_name: Callable[[str], str]
) -> Peer:
    return Peer(host=engine_host, image=base_image, registry=registry, name=unique_name)


@pytest.fixture(params=["memory", pytest.param("engine", marks=pytest.mark.system)])
def peer(request: pytest.FixtureRequest) -> Peer:
    return request.getfixturevalue(f"{request.param}_peer")  # type: ignore[no-any-return]


@pytest.fixture
def context(tmp_path: Path, peer: Peer) -> Path:
    (tmp_path / "Dockerfile").write_text(f"FROM {peer.image}\nCOPY page.html /\nEXPOSE 80\n", encoding="utf-8")
    (tmp_path / "page.html").write_text(peer.name("page"), encoding="utf-8")
    return tmp_path


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def lines() -> list[str]:
    return []


def nothing(_done: int, _total: int) -> None:
    pass


def restarts(host: ContainerHost, name: str) -> int:
    info = host.inspect(name)
    return info.restarts if info else 0


def within_seconds(seconds: float, happened: Callable[[], bool]) -> bool:
    deadline = monotonic() + seconds
    while not happened():
        if monotonic() > deadline:
            return False
        sleep(0.05)
    return True


def members(chunks: Iterator[bytes]) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        files = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        return {name: file.read() for name, file in files.items() if file}


def archive_of(files: dict[str, bytes]) -> Iterator[bytes]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    whole = buffer.getvalue()
    return (whole[at : at + 1000] for at in range(0, len(whole), 1000))


def test_platform_names_the_operating_system(peer: Peer) -> None:
    platform = peer.host.platform()
    assert platform.os == "linux"
    assert platform.architecture
    assert platform.os_version == ""


def test_image_that_is_not_there_is_none(peer: Peer) -> None:
    assert peer.host.image(f"{peer.name('missing')}:1") is None


def test_build_gives_an_image_under_all_its_tags(peer: Peer, context: Path, lines: list[str]) -> None:
    first, second = f"{peer.name('app')}:1", f"MyRegistry:8080/{peer.name('app')}:2"
    labels = {"dockwright.slot": peer.name("slot")}
    built = peer.host.build(BuildRequest(context=context, tags=(first, second), labels=labels), lines.append)
    assert {first, second} <= set(built.tags)
    assert built.labels["dockwright.slot"] == labels["dockwright.slot"]
    assert built.os == "linux"
    assert built.exposed_ports == ("80/tcp",)
    assert not built.has_healthcheck
    assert peer.host.image(first) == peer.host.image(second) == peer.host.image(built.id)
    assert peer.host.images(labels) == [built]
    assert any("COPY page.html" in line for line in lines)


def test_build_of_the_same_context_gives_the_same_image(peer: Peer, context: Path, lines: list[str]) -> None:
    request = BuildRequest(context=context, tags=(f"{peer.name('app')}:1",))
    assert peer.host.build(request, lines.append).id == peer.host.build(request, lines.append).id


def test_build_on_a_missing_base_names_the_line(peer: Peer, tmp_path: Path, lines: list[str]) -> None:
    base = f"127.0.0.1:9/{peer.name('missing')}:1"
    (tmp_path / "Dockerfile").write_text(f"# a comment\n\nFROM {base}\n", encoding="utf-8")
    with pytest.raises(BuildError, match=r"^Dockerfile:3: FROM 127\.0\.0\.1:9/\S+: "):
        peer.host.build(BuildRequest(context=tmp_path, tags=(f"{peer.name('app')}:1",)), lines.append)


def test_build_without_a_dockerfile_says_which(peer: Peer, tmp_path: Path, lines: list[str]) -> None:
    request = BuildRequest(context=tmp_path, dockerfile="docker/App.Dockerfile", tags=())
    with pytest.raises(BuildError, match=r"App\.Dockerfile"):
        peer.host.build(request, lines.append)


def test_failed_build_leaves_the_tag_where_it_was(peer: Peer, context: Path, lines: list[str]) -> None:
    request = BuildRequest(context=context, tags=(f"{peer.name('app')}:1",))
    before = peer.host.build(request, lines.append)
    (context / "Dockerfile").write_text("FROM 127.0.0.1:9/missing:1\n", encoding="utf-8")
    with pytest.raises(BuildError):
        peer.host.build(request, lines.append)
    assert peer.host.image(request.tags[0]) == before


def test_pushed_image_can_be_pulled_again_by_tag_and_by_digest(peer: Peer, context: Path, lines: list[str]) -> None:
    repository = f"{peer.registry}/{peer.name('app')}"
    built = peer.host.build(BuildRequest(context=context, tags=(f"{repository}:1",)), lines.append)
    digest = peer.host.push(f"{repository}:1", None, nothing)
    assert digest.startswith("sha256:")
    assert len(digest) == 71
    for reference in (f"{repository}:1", f"{repository}@{digest}"):
        peer.host.remove_image(built.id if "@" in reference else f"{repository}:1")
        pulled = peer.host.pull(reference, None, nothing)
        assert pulled.id == built.id
        assert f"{repository}@{digest}" in pulled.digests


def test_pull_of_what_the_registry_lacks_is_a_registry_error(peer: Peer) -> None:
    with pytest.raises(RegistryError, match="no such image"):
        peer.host.pull(f"{peer.registry}/{peer.name('missing')}:1", None, nothing)


def test_push_of_what_the_host_lacks_is_a_registry_error(peer: Peer) -> None:
    with pytest.raises(RegistryError, match="this host has no such image"):
        peer.host.push(f"{peer.registry}/{peer.name('missing')}:1", None, nothing)


def test_tag_moves_to_the_image_that_gets_it_last(peer: Peer, context: Path, lines: list[str]) -> None:
    built = peer.host.build(BuildRequest(context=context, tags=(f"{peer.name('app')}:1",)), lines.append)
    moving = f"{peer.name('app')}:current"
    peer.host.tag(peer.image, moving)
    peer.host.tag(built.id, moving)
    found = peer.host.image(moving)
    assert found is not None
    assert found.id == built.id


def test_tag_of_a_missing_image_is_an_error(peer: Peer) -> None:
    with pytest.raises(BuildError, match=r"cannot tag \S+ as \S+: .*[Nn]o such image"):
        peer.host.tag(f"{peer.name('missing')}:1", f"{peer.name('app')}:1")


def test_removing_a_reference_keeps_the_image_while_it_has_another(
    peer: Peer, context: Path, lines: list[str]
) -> None:
    first, second = f"{peer.name('app')}:1", f"{peer.name('app')}:2"
    built = peer.host.build(BuildRequest(context=context, tags=(first, second)), lines.append)
    peer.host.remove_image(first)
    assert peer.host.image(first) is None
    assert peer.host.image(second) is not None
    peer.host.remove_image(second)
    assert peer.host.image(built.id) is None
    peer.host.remove_image(second)


def test_created_container_is_there_but_does_not_run(peer: Peer) -> None:
    labels = {"Octopus.Project.Id": peer.name("project"), "dockwright.slot": ""}
    spec = ContainerSpec(name=peer.name("c"), image=peer.image, labels=labels, ports=(Port(container=80, host=9),))
    created = peer.host.create(spec)
    assert (created.name, created.image, created.state) == (spec.name, peer.image, "created")
    assert created.labels.items() >= labels.items()
    assert created.ports == spec.ports
    assert (created.started, created.finished) == ("", "")
    assert created.created.endswith("Z")
    assert peer.host.inspect(created.id) == peer.host.inspect(spec.name) == created


def test_container_is_found_by_its_labels(peer: Peer) -> None:
    project = peer.name("project")
    spec = peer.spec()
    labelled = ContainerSpec(name=spec.name, image=spec.image, labels={"project": project, "tenant": "a=b, c"})
    peer.host.create(labelled)
    assert [found.name for found in peer.host.find({"project": project})] == [spec.name]
    assert [found.name for found in peer.host.find({"project": project, "tenant": "a=b, c"})] == [spec.name]
    assert [found.name for found in peer.host.find({"project": project, "tenant": ""})] == [spec.name]
    assert peer.host.find({"project": project, "tenant": "x"}) == []
    assert peer.host.find({"project": f"{project}0"}) == []


def test_name_that_is_taken_is_said(peer: Peer) -> None:
    spec = peer.spec()
    first = peer.host.create(spec)
    with pytest.raises(ContainerError, match=f"the name {spec.name} is taken by container {first.id[:12]}"):
        peer.host.create(spec)


def test_container_of_a_missing_image_is_refused(peer: Peer) -> None:
    spec = ContainerSpec(name=peer.name("c"), image=f"{peer.name('missing')}:1")
    with pytest.raises(ContainerError, match="No such image"):
        peer.host.create(spec)
    assert peer.host.inspect(spec.name) is None


def test_started_container_runs_until_stopped(peer: Peer) -> None:
    name = peer.started()
    running = peer.host.inspect(name)
    assert running is not None
    assert running.running
    assert running.started.endswith("Z")
    assert running.addresses
    assert running.health == "none"
    peer.host.start(name)
    peer.host.stop(name, 5)
    stopped = peer.host.inspect(name)
    assert stopped is not None
    assert stopped.state == "exited"
    assert stopped.finished >= stopped.started
    peer.host.stop(name, 5)


def test_stopped_container_starts_again(peer: Peer) -> None:
    name = peer.started()
    peer.host.stop(name, 5)
    peer.host.start(name)
    again = peer.host.inspect(name)
    assert again is not None
    assert again.running


def test_exit_code_and_last_words_of_one_that_ends(peer: Peer) -> None:
    name = peer.started(*FAILS)
    assert peer.host.wait(name, 20) == 3
    assert sorted(peer.host.logs(name, 10)) == ["last words", "out"]
    assert len(peer.host.logs(name, 1)) == 1
    assert peer.host.logs(name, 0) == []
    ended = peer.host.inspect(name)
    assert ended is not None
    assert (ended.state, ended.exit_code) == ("exited", 3)


def test_wait_gives_up_on_one_that_runs_on(peer: Peer) -> None:
    name = peer.started()
    with pytest.raises(ContainerError, match=r"had not ended after 0\.2 s"):
        peer.host.wait(name, 0.2)


def test_crash_under_a_restart_policy_is_seen_as_restarts(peer: Peer) -> None:
    spec = peer.spec(*FAILS, restart="always")
    peer.host.create(spec)
    peer.host.start(spec.name)
    assert within_seconds(20, lambda: restarts(peer.host, spec.name) > 0)
    peer.host.stop(spec.name, 1)
    stopped = peer.host.inspect(spec.name)
    assert stopped is not None
    assert stopped.state == "exited"


def test_port_that_is_taken_is_named_and_its_holder_found(peer: Peer, free_port: int) -> None:
    port = Port(container=80, host=free_port)
    assert peer.host.publishing(port) is None
    holder = peer.started(ports=(port,))
    other = peer.spec(ports=(port,))
    peer.host.create(other)
    with pytest.raises(ContainerError, match=f"port {free_port} is already taken on the host"):
        peer.host.start(other.name)
    found = peer.host.publishing(Port(container=1, host=free_port, address="127.0.0.1"))
    assert found is not None
    assert found.name == holder
    assert found.ports == (port,)
    assert peer.host.publishing(Port(container=80, host=free_port, protocol="udp")) is None
    peer.host.stop(holder, 5)
    assert peer.host.publishing(port) is None
    peer.host.start(other.name)


def test_port_zero_lets_the_engine_choose(peer: Peer) -> None:
    name = peer.started(ports=(Port(container=80, address="127.0.0.1"),))
    info = peer.host.inspect(name)
    assert info is not None
    (port,) = info.ports
    assert (port.container, port.address, port.protocol) == (80, "127.0.0.1", "tcp")
    assert port.host > 1024


def test_removed_container_is_gone_even_if_it_ran(peer: Peer) -> None:
    name = peer.started()
    peer.host.remove(name)
    assert peer.host.inspect(name) is None
    peer.host.remove(name)


@pytest.mark.parametrize("operation", ["start", "stop", "logs", "wait", "copy_out", "copy_in", "follow", "execute"])
def test_container_that_is_not_there_is_said(peer: Peer, operation: str) -> None:
    host, name = peer.host, peer.name("missing")
    calls: dict[str, Callable[[], object]] = {
        "start": lambda: host.start(name),
        "stop": lambda: host.stop(name, 1),
        "logs": lambda: host.logs(name, 1),
        "wait": lambda: host.wait(name, 1),
        "copy_out": lambda: list(host.copy_out(name, "/etc")),
        "copy_in": lambda: host.copy_in(name, "/", archive_of({"a": b""})),
        "follow": lambda: host.follow(name, print),
        "execute": lambda: host.execute(name, ["true"], print, 1),
    }
    with pytest.raises(ContainerError, match=f"{name}.*there is no such container"):
        calls[operation]()


def test_files_come_out_of_a_stopped_container(peer: Peer) -> None:
    name = peer.started(*WRITES)
    assert peer.host.wait(name, 20) == 0
    assert members(peer.host.copy_out(name, "/results")) == {"results/report.txt": b"fine\n"}
    assert members(peer.host.copy_out(name, "/results/report.txt")) == {"report.txt": b"fine\n"}
    with pytest.raises(ContainerError, match="/nowhere"):
        peer.host.copy_out(name, "/nowhere")


def test_files_go_into_a_container_before_it_starts(peer: Peer) -> None:
    spec = peer.spec()
    peer.host.create(spec)
    peer.host.copy_in(spec.name, "/", archive_of({"given.txt": b"x" * 5000, "sub/more.txt": b"y"}))
    assert members(peer.host.copy_out(spec.name, "/given.txt")) == {"given.txt": b"x" * 5000}
    assert members(peer.host.copy_out(spec.name, "/sub")) == {"sub/more.txt": b"y"}
    peer.host.start(spec.name)
    peer.host.copy_in(spec.name, "/sub", archive_of({"later.txt": b"z"}))
    assert members(peer.host.copy_out(spec.name, "/sub/later.txt")) == {"later.txt": b"z"}


def test_output_is_followed_from_its_beginning_to_its_end(peer: Peer, lines: list[str]) -> None:
    name = peer.started(*TALKS)
    peer.host.follow(name, lines.append)
    assert lines == ["one", "two"]
    assert peer.host.wait(name, 5) == 4
    peer.host.follow(name, lines.append)
    assert lines == ["one", "two"] * 2


def test_program_runs_in_a_running_container(peer: Peer, lines: list[str]) -> None:
    name = peer.started()
    assert peer.host.execute(name, GREETS, lines.append, 20) == 5
    assert sorted(lines) == ["hello", "oops"]
    assert peer.host.execute(name, ["no-such-program"], lambda _line: None, 20) in (126, 127)


def test_program_that_does_not_end_is_given_up(peer: Peer, lines: list[str]) -> None:
    name = peer.started()
    with pytest.raises(ContainerError, match=f"sh had not ended in {name} after 0.5 s"):
        peer.host.execute(name, HANGS, lines.append, 0.5)
    assert lines == ["begun"]


def test_program_cannot_run_in_a_container_that_does_not(peer: Peer, lines: list[str]) -> None:
    spec = peer.spec()
    peer.host.create(spec)
    with pytest.raises(ContainerError, match=f"cannot run sh in {spec.name}: .*is not running"):
        peer.host.execute(spec.name, GREETS, lines.append, 5)


def test_environment_never_shows_in_a_representation(peer: Peer) -> None:
    spec = ContainerSpec(name=peer.name("c"), image=peer.image, environment={"PASSWORD": "hunter2"})
    assert "hunter2" not in repr(spec)
    assert "hunter2" not in repr(peer.host.create(spec))
