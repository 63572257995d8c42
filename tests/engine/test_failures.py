"""Engines that are not there, go away, hang or talk nonsense: always one of our errors, in one line."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from agent.engine.api import EngineHost
from agent.engine.client import open_client
from agent.engine.failures import refused
from agent.errors import BuildError, ContainerError, DockwrightError, HostError, StorageError
from agent.host import BuildRequest, ContainerHost, ContainerSpec, HostAddress, Port
from linux.local import connect, open_socket

VERSION = b'{"ApiVersion": "1.41", "Version": "20.10.24", "Os": "linux", "Arch": "amd64"}'


class FakeEngine:
    """Answers the request for the version as an engine does; every other one with `reply`, or what `replies` has
    for a part of its first line. None is no answer, ever."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.reply: bytes | None = b""
        self.replies: dict[bytes, bytes | None] = {}
        self.asked: list[bytes] = []
        self.lost = self.told = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def lose(self, count: int, told: int = 0) -> None:
        """So many requests from now on are heard, and their connections closed after `told` bytes of the answer."""
        self.lost, self.told = count, told

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            request = connection.recv(65_536)
            if request.startswith(b"GET /version "):
                connection.sendall(response(200, VERSION))
                connection.shutdown(socket.SHUT_RDWR)
                return
            line = request.partition(b"\r\n")[0]
            self.asked.append(line)
            reply = next((self.replies[part] for part in self.replies if part in line), self.reply)
            if self.lost:
                self.lost -= 1
                connection.sendall((reply or b"")[: self.told])
                connection.shutdown(socket.SHUT_RDWR)
                return
            if reply is None:
                return  # and leave it open: it hangs
            connection.sendall(reply)
            connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        except OSError:
            connection.close()


def response(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    fake = FakeEngine(tmp_path / "engine.sock")
    yield fake
    fake.close()


@pytest.fixture
def host(engine: FakeEngine) -> Iterator[ContainerHost]:
    client = open_client(partial(open_socket, engine.path), where="unix:///fake", seconds=1)
    host = EngineHost(client, "unix:///fake", "127.0.0.1")
    yield host
    host.close()


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    (folder / "big").write_bytes(bytes(3_000_000))
    return folder


OPERATIONS: dict[str, Callable[[ContainerHost, Path], object]] = {
    "platform": lambda host, _: host.platform(),
    "image": lambda host, _: host.image("app:1"),
    "images": lambda host, _: host.images({"a": "b"}),
    "pull": lambda host, _: host.pull("app:1", None, lambda _done, _total: None),
    "build": lambda host, context: host.build(BuildRequest(context=context, tags=("app:1",)), lambda _line: None),
    "push": lambda host, _: host.push("app:1", None, lambda _done, _total: None),
    "tag": lambda host, _: host.tag("app:1", "app:2"),
    "remove_image": lambda host, _: host.remove_image("app:1"),
    "find": lambda host, _: host.find({"a": "b"}),
    "publishing": lambda host, _: host.publishing(Port(container=80, host=80)),
    "inspect": lambda host, _: host.inspect("web"),
    "create": lambda host, _: host.create(ContainerSpec(name="web", image="app:1")),
    "start": lambda host, _: host.start("web"),
    "stop": lambda host, _: host.stop("web", 1),
    "remove": lambda host, _: host.remove("web"),
    "logs": lambda host, _: host.logs("web", 5),
    "wait": lambda host, _: host.wait("web", 0.5),
    "copy_out": lambda host, _: list(host.copy_out("web", "/x")),
    "copy_in": lambda host, _: host.copy_in("web", "/x", iter([b"tar"] * 100)),
    "follow": lambda host, _: host.follow("web", lambda _line: None),
    "execute": lambda host, _: host.execute("web", ["true"], lambda _line: None, 1),
}

REPLIES = {
    "goes away": b"",
    "breaks off": b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{",
    "breaks off between chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "talks nonsense": b"SSH-2.0-OpenSSH_9.2\r\n",
    "fails": response(500, b'{"message": "the engine is on fire\\nand smoking"}'),
    "fails without words": response(500, b""),
    "fails at length": response(500, b"x" * 1_000_000),
    "speaks no JSON": response(200, b"<html>"),
    "speaks other JSON": response(200, b'["x", 5]'),
    "has other types": response(200, b'{"Id": 5, "State": "running", "Os": 7, "StatusCode": "x", "stream": 1}'),
}
MAY_SUCCEED = {"tag", "remove_image", "start", "stop", "remove", "copy_out", "copy_in"}
"""Of these only the status is looked at, or the bytes are the caller's."""


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES.keys())
@pytest.mark.parametrize("operation", OPERATIONS)
def test_whatever_the_engine_does_the_error_is_ours_and_short(
    engine: FakeEngine, host: ContainerHost, context: Path, operation: str, reply: bytes
) -> None:
    engine.reply = reply
    failure = ""
    try:
        OPERATIONS[operation](host, context)
    except DockwrightError as error:
        failure = str(error)
    assert failure or (operation in MAY_SUCCEED and b" 200 " in reply)
    assert "\n" not in failure
    assert len(failure) < 1_000


@pytest.mark.parametrize("operation", ["inspect", "create", "start", "find", "copy_in", "follow", "execute"])
def test_engine_that_hangs_is_given_up(
    engine: FakeEngine, host: ContainerHost, context: Path, operation: str
) -> None:
    engine.reply = None
    with pytest.raises(HostError, match="did not answer in time"):
        OPERATIONS[operation](host, context)


def test_engine_that_goes_away_during_a_call_is_said(engine: FakeEngine, host: ContainerHost) -> None:
    engine.reply = b""
    with pytest.raises(HostError, match="cannot start web: the connection to the engine broke"):
        host.start("web")


@pytest.mark.parametrize("reply", ["breaks off", "breaks off between chunks"])
def test_answer_that_breaks_off_is_said_as_that(engine: FakeEngine, host: ContainerHost, reply: str) -> None:
    engine.reply = REPLIES[reply]
    with pytest.raises(HostError, match=r"the connection to the engine broke \(its answer broke off\)"):
        host.push("app:1", None, lambda _done, _total: None)


RUNNING = response(200, b'{"Id": "abc", "State": {"Status": "running"}}')
LINE = b"\x01\0\0\0\0\0\0\x27" + b"2026-11-23T11:30:00.000000000Z hello w\n"
LOG = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + f"{len(LINE):x}\r\n".encode() + LINE + b"\r\n"


@pytest.mark.parametrize("told", [0, 100])
@pytest.mark.parametrize(("lost", "found"), [(1, True), (2, False)])
def test_question_whose_answer_is_lost_is_asked_once_more(
    engine: FakeEngine, host: ContainerHost, lost: int, found: bool, told: int
) -> None:
    engine.reply = response(404, b'{"message": "No such image"}')
    assert told < len(engine.reply)
    engine.lose(lost, told)
    if found:
        assert host.image("shop:1") is None
    else:
        with pytest.raises(HostError, match="the connection to the engine broke"):
            host.image("shop:1")
    assert len(engine.asked) == 2


def test_order_whose_answer_is_lost_is_not_given_again(engine: FakeEngine, host: ContainerHost) -> None:
    engine.lose(1)
    with pytest.raises(HostError, match="the connection to the engine broke"):
        host.wait("shop", 5)
    assert len(engine.asked) == 1


def test_pull_whose_answer_breaks_off_is_begun_again(engine: FakeEngine, host: ContainerHost) -> None:
    engine.replies = {b"GET": response(200, b'{"Id": "sha256:4711"}'), b"/images/create": response(200, b"{}")}
    engine.lose(1)
    assert host.pull("shop:1", None, lambda _done, _total: None).id == "sha256:4711"
    assert sum(b"/images/create" in line for line in engine.asked) == 2


def test_container_whose_making_was_not_answered_is_found(engine: FakeEngine, host: ContainerHost) -> None:
    spec = ContainerSpec(name="shop", image="shop:1")
    made = {"Id": "4711", "Name": "/shop", "State": {"Status": "created"}, "Config": {"Image": "shop:1"}}
    engine.replies = {b"GET /v1.41/containers/": response(200, json.dumps(made).encode())}
    engine.lose(1)
    assert host.create(spec).id == "4711"
    assert sum(b"/containers/create" in line for line in engine.asked) == 1


def test_engine_that_goes_away_while_it_is_followed_is_said(engine: FakeEngine, host: ContainerHost) -> None:
    engine.replies = {b"/logs": LOG, b"/json": RUNNING}
    lines: list[str] = []
    with pytest.raises(HostError, match="cannot follow the output of web: the connection to the engine broke"):
        host.follow("web", lines.append)
    assert lines == ["hello w"]


def test_engine_that_hangs_while_a_program_runs_is_given_up_in_time(engine: FakeEngine, host: ContainerHost) -> None:
    engine.replies = {b"/exec/abc/start": None, b"/exec": response(201, b'{"Id": "abc"}')}
    with pytest.raises(HostError, match="did not answer in time"):
        host.execute("web", ["true"], print, 5)


def test_program_that_runs_on_silently_is_given_up_when_its_time_is_over(
    engine: FakeEngine, host: ContainerHost
) -> None:
    begun = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
    running = response(200, b'{"Running": true, "ExitCode": null}')
    engine.replies = {
        b"/exec/abc/start": begun,
        b"/exec/abc/json": running,
        b"/exec": response(201, b'{"Id": "abc"}'),
    }
    with pytest.raises(ContainerError, match=r"true had not ended in web after 0\.3 s"):
        host.execute("web", ["true"], print, 0.3)


def test_engine_that_refuses_a_build_early_is_heard(engine: FakeEngine, host: ContainerHost, context: Path) -> None:
    engine.reply = response(400, b'{"message": "dockerfile parse error line 1: unknown instruction: FORM"}')
    with pytest.raises(BuildError, match=r"^Dockerfile:1: unknown instruction: FORM$"):
        host.build(BuildRequest(context=context, tags=()), lambda _line: None)


def test_missing_socket_is_said(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"there is no engine's socket; start Docker"):
        connect(HostAddress(url=f"unix://{tmp_path}/nothing.sock"))


def test_dead_socket_is_said(tmp_path: Path) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    with pytest.raises(HostError, match=r"nobody listens at the engine's address"):
        connect(HostAddress(url=f"unix://{path}"))


def test_permission_is_said() -> None:
    def forbidden(_seconds: float) -> socket.socket:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(HostError, match="join the group that owns it"):
        open_client(forbidden, where="unix:///x")


def test_something_else_behind_the_socket_is_said(engine: FakeEngine) -> None:
    with pytest.raises(HostError, match="cannot reach the engine"):
        open_client(lambda _seconds: _speaking(b"SSH-2.0-x\r\n"), where="unix:///x")


def _speaking(content: bytes) -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(content)
    return ours


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("driver failed: Bind for 0.0.0.0:80 failed: port is already allocated", "port 80"),
        ("Bind for :::8080 failed: port is already allocated", "port 8080"),
        ("Error starting userland proxy: listen tcp4 0.0.0.0:443: bind: address already in use", "port 443"),
        ("driver: failed to bind host port for 0.0.0.0:81:172.17.0.2:80/tcp: address already in use", "port 81"),
        ("failed to bind host port 127.0.0.1:82/tcp: address already in use", "port 82"),
        ("The process cannot access the file because it is being used by another process. (0x20)", "a port"),
    ],
)  # fmt: skip
def test_taken_port_is_recognised_in_every_engines_words(text: str, port: str) -> None:
    error = refused("unix:///x", "start web", text, HostError)
    assert isinstance(error, ContainerError)
    assert f"{port} " in str(error)
    assert "already taken on the host" in str(error)


def test_full_disk_is_recognised() -> None:
    error = refused("unix:///x", "create web", "mkdir /var/lib/docker/x: no space left on device", ContainerError)
    assert isinstance(error, StorageError)


def test_docker_is_imported_without_paramiko_and_only_when_needed() -> None:
    code = (
        "import sys, agent.engine.api, agent.engine.client, linux.local\n"
        "assert not {'docker', 'requests'} & set(sys.modules)\n"
        "agent.engine.client.load_docker()\n"
        "assert 'docker' in sys.modules and 'paramiko' not in sys.modules\n"
        "import paramiko, docker.transport.sshconn\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ, timeout=60
    )
    assert done.stderr == ""
    assert done.returncode == 0
