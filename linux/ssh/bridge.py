"""A channel as a real socket, which is what docker-py needs of a stream: it waits on descriptors.

Two threads carry between the socket pair's far end and the channel, and end with either.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from paramiko import Channel
from paramiko.ssh_exception import SSHException

from agent.engine.stream_pair import End, stream_pair

_PIECE = 256 * 1024
_MINUTE = 60.0


def bridge(channel: Channel) -> socket.socket:
    """The near end. Closing it closes the channel; shutting down its writing side ends the program's input."""
    near, far = stream_pair()
    output = threading.Thread(target=_carry_output, args=(channel, far), daemon=True, name="ssh-output")
    output.start()
    threading.Thread(target=_carry_input, args=(channel, far, output), daemon=True, name="ssh-input").start()
    return near


def _carry_input(channel: Channel, far: End, output: threading.Thread) -> None:
    with suppress(OSError, EOFError, SSHException):
        while data := far.recv(_PIECE):
            channel.sendall(data)
        channel.shutdown_write()
        while not far.is_over(_MINUTE):
            pass
    with suppress(OSError, EOFError, SSHException):
        channel.close()
    output.join()
    far.close()


def _carry_output(channel: Channel, far: End) -> None:
    with suppress(OSError, EOFError, SSHException):
        while True:
            if channel.recv_stderr_ready():
                channel.recv_stderr(_PIECE)  # else a talkative program would fill its window, and stop
            data = channel.recv(_PIECE)
            if not data:
                break
            far.sendall(data)
    far.hang_up()
