"""What answers in a WinRM machine's place, and what is left of a connection once it is closed."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from agent.engine.shell import Command
from agent.errors import HostError
from agent.host import HostAddress
from tests.patience import eventually
from tests.windows.winrm.conftest import Machine
from windows.winrm import WinRMShell, connect
from windows.winrm.login import LONGEST_ANSWER
from windows.winrm.target import read

HEAD = b"HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"100000\r\n" + bytes(0x100000) + b"\r\n"


@contextmanager
def answering(behave: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[socket.socket]]]:
    """The URL of a server that does this with each connection, and the connections."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    taken.append(listener.accept()[0])
                    behave(taken[-1])

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"winrm://jane@127.0.0.1:{listener.getsockname()[1]}", taken
        finally:
            for stream in taken:
                with suppress(OSError):
                    stream.shutdown(socket.SHUT_RDWR)
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for stream in taken:
                stream.close()


def test_answer_without_end_is_not_read_to_the_end() -> None:
    sent: list[int] = []

    def pour(stream: socket.socket) -> None:
        stream.recv(65536)
        with suppress(OSError):
            stream.sendall(HEAD)
            while len(sent) < 1000:
                stream.sendall(CHUNK)
                sent.append(len(CHUNK))

    with answering(pour) as (url, _), pytest.raises(HostError, match="more than any answer of WinRM; see the port"):
        connect(HostAddress(url=url, password="x"))
    assert sum(sent) < 3 * LONGEST_ANSWER


def test_server_that_hangs_up_on_everybody_is_soon_given_up() -> None:
    with answering(socket.socket.close) as (url, taken):
        shell = WinRMShell(read(HostAddress(url=url, password="x")), patience=1)
        with closing(shell), pytest.raises(HostError, match="WinRM cannot be reached at"):
            shell.run(Command(arguments=("cat",)), print, print)
        assert 2 <= len(taken) < 10


def test_no_connection_is_open_after_the_end(machine: Machine) -> None:
    gc.disable()  # else it would close what nobody has closed
    try:
        streams = [machine.shell.open(Command(arguments=("cat",))) for _ in range(6)]
        for stream in streams:
            stream.close()
        machine.shell.close()
        eventually(lambda: not machine.server.connections)
    finally:
        gc.enable()
