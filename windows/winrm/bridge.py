"""A remote program's standard input and output as a socket, which is what docker-py needs of a stream.

It is a real socket pair: docker-py waits on descriptors, and takes sockets out of responses. Two threads carry
between its far end and the machine, and end with either.
"""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress

from agent.errors import HostError
from windows.winrm.envelopes import OPERATION_SECONDS
from windows.winrm.process import RemoteProcess

_BUFFER = 1024 * 1024


def bridge(process: RemoteProcess, room: int) -> socket.socket:
    """The near end. Closing it ends the program; shutting down its writing side ends the program's input."""
    near, far = socket.socketpair()
    for end in (near, far):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    output = threading.Thread(target=_carry_output, args=(process, far), daemon=True, name="winrm-output")
    output.start()
    threading.Thread(target=_carry_input, args=(process, far, room, output), daemon=True, name="winrm-input").start()
    return near


def _carry_input(process: RemoteProcess, far: socket.socket, room: int, output: threading.Thread) -> None:
    with suppress(HostError, OSError):
        while data := _gathered(far, room):
            if not process.send(data, end=False, go_on=lambda: not _is_closed(far, 0)):
                break
        else:
            if not _is_closed(far, 0):
                process.send(b"", end=True, go_on=lambda: not _is_closed(far, 0))
        while not _is_closed(far, 60_000):
            pass
    _hang_up(far)
    process.end()
    output.join()
    far.close()


def _carry_output(process: RemoteProcess, far: socket.socket) -> None:
    with suppress(HostError, OSError):
        while True:
            received = process.receive(OPERATION_SECONDS)
            if received.output:
                far.sendall(received.output)
            if received.exit_code is not None:
                break
    _hang_up(far)


def _gathered(far: socket.socket, room: int) -> bytes:
    """What waits to be read, waiting for the first of it; b"" at the end."""
    data = far.recv(room)
    with suppress(BlockingIOError):
        while data and len(data) < room:
            more = far.recv(room - len(data), socket.MSG_DONTWAIT)
            if not more:
                break
            data += more
    return data


def _is_closed(far: socket.socket, milliseconds: int) -> bool:
    """Whether the near end is closed, and not merely done with writing."""
    poll = select.poll()
    poll.register(far, 0)
    return any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll(milliseconds))


def _hang_up(far: socket.socket) -> None:
    """The other thread may still look at it, so it is not closed yet."""
    with suppress(OSError):
        far.shutdown(socket.SHUT_RDWR)
