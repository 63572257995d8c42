"""Streams to an engine through SSH, begun before they are asked for: a machine takes a tenth of a second for each."""

from __future__ import annotations

import threading
from socket import socket

from agent.engine.shell import Command
from agent.engine.stream_pair import is_readable
from linux.ssh.shell import SSHShell

_AHEAD = 2
"""A client asks for the engine's version over one stream, and goes on over another."""


class Streams:
    """Opens streams that `dial` leads to the engine; the first ones were opened when it was made."""

    def __init__(self, shell: SSHShell, dial: Command) -> None:
        self._shell = shell
        self._dial = dial
        self._lock = threading.Lock()
        self._ready: list[socket] = []
        try:
            self._ready.extend(shell.open(dial) for _ in range(_AHEAD))
        except BaseException:
            self.end()
            raise

    def open(self) -> socket:
        """HostError if the machine cannot be reached any more. One that broke while it waited is left out."""
        with self._lock:
            while self._ready:
                stream = self._ready.pop(0)
                if _is_silent(stream):
                    return stream
                stream.close()
        return self._shell.open(self._dial)

    def close(self) -> None:
        """End those that nobody asked for, and the shell with them."""
        self.end()
        self._shell.close()

    def end(self) -> None:
        while self._ready:
            self._ready.pop().close()


def _is_silent(stream: socket) -> bool:
    """An engine says nothing unasked: what can be read now is the end."""
    return not is_readable(stream.fileno(), 0)
