"""What every ContainerHost does with containers, whatever stands behind it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator

import pytest

from agent.errors import ContainerError
from agent.host import ContainerHost, ContainerSpec, Port
from tests.engine.peers import FAILS, GREETS, HANGS, TALKS, WRITES, Peer
from tests.patience import eventually


def restarts(host: ContainerHost, name: str) -> int:
    info = host.inspect(name)
    return info.restarts if info else 0


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


def test_created_container_is_there_but_does_not_run(peer: Peer) -> None:
    labels = {"Octopus.Project.Id": peer.name("project"), "dockwright.slot": ""}
    ports = (Port(container=80, host=9),)
    spec = ContainerSpec(name=peer.name("c"), image=peer.image, labels=labels, ports=ports, stop_timeout=3)
    created = peer.host.create(spec)
    assert (created.name, created.image, created.state) == (spec.name, peer.image, "created")
    assert created.labels.items() >= labels.items()
    assert created.ports == spec.ports
    assert created.stop_timeout == 3
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
    eventually(lambda: restarts(peer.host, spec.name) > 0)
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
    lines.clear()
    peer.host.follow(name, lines.append, 1)
    peer.host.follow(name, lines.append, 0)
    assert lines == ["two"]


def test_program_runs_in_a_running_container(peer: Peer, lines: list[str]) -> None:
    name = peer.started()
    assert peer.host.execute(name, GREETS, lines.append, 20) == 5
    assert sorted(lines) == ["hello", "oops"]
    assert peer.host.execute(name, ["no-such-program"], lambda _line: None, 20) in (126, 127)


def test_program_that_does_not_end_is_given_up(peer: Peer, lines: list[str]) -> None:
    name = peer.started()
    with pytest.raises(ContainerError, match=f"sh had not ended in {name} after 2 s"):
        peer.host.execute(name, HANGS, lines.append, 2)
    assert lines == ["begun"]


def test_program_cannot_run_in_a_container_that_does_not(peer: Peer, lines: list[str]) -> None:
    spec = peer.spec()
    peer.host.create(spec)
    with pytest.raises(ContainerError, match=f"cannot run sh in {spec.name}: .*is not running"):
        peer.host.execute(spec.name, GREETS, lines.append, 5)


def test_environment_never_shows_in_a_representation(peer: Peer) -> None:
    spec = ContainerSpec(name=peer.name("c"), image=peer.image, environment={"PASSWORD": "hunter2"})
    assert "hunter2" not in repr(spec)
    created = peer.host.create(spec)
    assert created.environment["PASSWORD"] == "hunter2"
    assert "hunter2" not in repr(created)
