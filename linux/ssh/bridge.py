"""A channel as a real socket, which is what docker-py needs of a stream: it waits on descriptors.

Two threads carry between the socket pair's far end and the channel, and end with either.
"""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress

from paramiko import Channel
from paramiko.ssh_exception import SSHException

_BUFFER = 1024 * 1024
_PIECE = 256 * 1024


def bridge(channel: Channel) -> socket.socket:
    """The near end. Closing it closes the channel; shutting down its writing side ends the program's input."""
    near, far = socket.socketpair()
    for end in (near, far):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    output = threading.Thread(target=_carry_output, args=(channel, far), daemon=True, name="ssh-output")
    output.start()
    threading.Thread(target=_carry_input, args=(channel, far, output), daemon=True, name="ssh-input").start()
    return near


def _carry_input(channel: Channel, far: socket.socket, output: threading.Thread) -> None:
    with suppress(OSError, EOFError, SSHException):
        while data := far.recv(_PIECE):
            channel.sendall(data)
        channel.shutdown_write()
        _await_hang_up(far)
    with suppress(OSError, EOFError, SSHException):
        channel.close()
    output.join()
    far.close()


def _carry_output(channel: Channel, far: socket.socket) -> None:
    with suppress(OSError, EOFError, SSHException):
        while True:
            if channel.recv_stderr_ready():
                channel.recv_stderr(_PIECE)  # else a talkative program would fill its window, and stop
            data = channel.recv(_PIECE)
            if not data:
                break
            far.sendall(data)
    with suppress(OSError):
        far.shutdown(socket.SHUT_RDWR)  # the other thread may still look at it, so it is not closed yet


def _await_hang_up(far: socket.socket) -> None:
    """Until the near end is closed too, and not merely done with writing."""
    poll = select.poll()
    poll.register(far, 0)
    while not any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll(60_000)):
        pass
