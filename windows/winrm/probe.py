"""Whether `docker system dial-stdio` can be relied upon on a machine.

It fails on some (engines behind pipes that cannot be half closed, programs that never end), so it is tried: a short
answer, a mebibyte of all bytes upwards, and a proper end.
"""

from __future__ import annotations

import http.client
from contextlib import closing, suppress
from socket import socket
from time import monotonic

from agent.engine.shell import Command
from agent.errors import HostError
from windows.winrm.shell import NO_SUCH_PROGRAM, WinRMShell

PROBE_SECONDS = 15
SLOWEST_ANSWER = 2.0
"""Seconds for a ping, beyond which the command line is as good."""

_ALL_BYTES = bytes(range(256)) * 4096


def dial_stdio_works(shell: WinRMShell, dial: Command) -> bool:
    """HostError only if the machine itself cannot be used."""
    with closing(shell.open(dial)) as stream, suppress(OSError, http.client.HTTPException):
        stream.settimeout(PROBE_SECONDS)
        connection = _Connection(stream)
        connection.request("GET", "/_ping")
        started = monotonic()
        connection.getresponse().read()
        connection.request("GET", "/_ping")
        if connection.getresponse().read() != b"OK":
            return False
        if monotonic() - started > SLOWEST_ANSWER:
            return False
        connection.request("POST", "/images/load?quiet=1", _ALL_BYTES, {"Content-Type": "application/x-tar"})
        answer = connection.getresponse()
        return answer.status in (200, 400, 500) and b"{" in answer.read()
    return False


def diagnosis(shell: WinRMShell, error: HostError) -> HostError:
    """Why there is no engine to be reached, as the docker program on the machine tells it."""
    said: list[bytes] = []
    command = Command(arguments=("docker", "version", "--format", "{{.Server.Version}}"), timeout=30)
    code = shell.run(command, said.append, said.append)
    if code == NO_SUCH_PROGRAM:
        return HostError(f"{shell.url}: docker.exe is not on the PATH of this user there; install Docker, or add it")
    if code:
        text = " ".join(b"".join(said).decode("utf-8", "replace").split())
        return HostError(f"{shell.url}: docker does not reach its engine there: {text[:400]}")
    return error


class _Connection(http.client.HTTPConnection):
    def __init__(self, stream: socket) -> None:
        super().__init__("localhost")
        self.sock = stream
