"""Whether anything still comes back over a connection: TCP alone does not tell when a machine hangs.

As OpenSSH's ServerAliveInterval: the machine is asked for a sign of life, and whatever comes from it is one.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress

from paramiko import Transport
from paramiko.ssh_exception import SSHException

_MOST_ROUNDS = 4
_LAST_RECEIVED = struct.Struct("52xI")
"""Milliseconds since the last data came, in the kernel's TCP_INFO."""


def end_when_dead(transport: Transport, stream: socket.socket, seconds: float) -> None:
    """Close the transport, and so end whatever waits for it, once nothing has come for so many seconds.

    `stream` is the connection that all of it passes through.
    """
    threading.Thread(target=_watch, args=(transport, stream, seconds), daemon=True, name="ssh-alive").start()


def _watch(transport: Transport, stream: socket.socket, seconds: float) -> None:
    while transport.is_active():
        transport.join(seconds / _MOST_ROUNDS)
        answered = threading.Event()
        threading.Thread(target=_ask, args=(transport, answered), daemon=True, name="ssh-ask").start()
        while not answered.wait(seconds):
            if _quiet_seconds(stream) >= seconds:
                transport.close()


def _ask(transport: Transport, answered: threading.Event) -> None:
    """Refused or not, an answer is an answer; it ends with the transport too."""
    with suppress(SSHException, EOFError, OSError):
        if transport.is_active():
            transport.global_request("keepalive@openssh.com", wait=True)
    answered.set()


def _quiet_seconds(stream: socket.socket) -> float:
    """Without an end where the system does not tell."""
    try:
        information = stream.getsockopt(socket.IPPROTO_TCP, getattr(socket, "TCP_INFO"), _LAST_RECEIVED.size)  # noqa: B009
        return float(_LAST_RECEIVED.unpack(information)[0]) / 1000
    except (OSError, AttributeError, struct.error):
        return float("inf")
