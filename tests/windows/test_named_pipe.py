"""The engine behind a named pipe, as far as that can be tried where there are no pipes."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from agent.engine.api import EngineHost
from agent.engine.client import open_client
from agent.errors import DockwrightError, HostError, InputError
from agent.host import HostAddress
from agent.plugins import connect
from linux.sandbox import Sandbox
from windows.named_pipe import open_bridged


@pytest.mark.parametrize(
    ("url", "kind", "message"),
    [
        ("npipe:////./pipe/docker_engine", HostError, "named pipes are on Windows only; from here, use winrm://"),
        ("npipe://", HostError, "named pipes are on Windows only"),
        ("npipe://server/pipe/docker_engine", InputError, "npipe:////./pipe/docker_engine$"),
        ("npipe:///docker_engine", InputError, "npipe:////./pipe/docker_engine$"),
    ],
)
def test_urls_that_cannot_be_used_here(url: str, kind: type[DockwrightError], message: str) -> None:
    with pytest.raises(kind, match=message):
        connect(HostAddress(url=url))


def test_engine_answers_through_the_bridge(sandbox: Sandbox) -> None:
    path = sandbox.host.removeprefix("unix://")
    client = open_client(partial(open_bridged, partial(asyncio.open_unix_connection, path)), where="bridge")
    with closing(EngineHost(client, "bridge", "127.0.0.1")) as host:
        assert host.platform().os == "linux"
        assert host.images({"no.such.label": ""}) == []


def test_pipe_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        open_bridged(partial(asyncio.open_unix_connection, "/nowhere/pipe"), 5)


def test_much_is_carried_and_closing_either_end_closes_the_other(tmp_path: Path) -> None:
    path = str(tmp_path / "echo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with open_bridged(partial(asyncio.open_unix_connection, path), 5) as stream:
            engine, _ = listener.accept()
            with engine:
                stream.settimeout(None)
                stream.sendall(b"x" * 100_000)
                assert len(engine.recv(100_000, socket.MSG_WAITALL)) == 100_000
                engine.sendall(b"y" * 100_000)
                assert len(stream.recv(100_000, socket.MSG_WAITALL)) == 100_000
                stream.close()
                assert engine.recv(1) == b""
