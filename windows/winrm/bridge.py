"""A remote program's standard input and output as a socket, which is what docker-py needs of a stream.

It is a real socket pair: docker-py waits on descriptors, and takes sockets out of responses. Two threads carry
between its far end and the machine, and end with either.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from agent.engine.stream_pair import End, is_readable, stream_pair
from agent.errors import HostError
from windows.winrm.envelopes import OPERATION_SECONDS
from windows.winrm.feeding import Feeder, Pieces
from windows.winrm.process import RemoteProcess

_MINUTE = 60.0


def bridge(process: RemoteProcess) -> tuple[socket.socket, threading.Thread]:
    """The near end. Closing it ends the program; shutting down its writing side ends the program's input.

    Whoever reads it to an end that another attempt cannot mend gets a ConnectionError, whose cause is the HostError.
    The thread ends when all is over.
    """
    near, far = stream_pair(_Near)
    assert isinstance(near, _Near)
    feeder = Feeder(process, lambda busy: _read(far, process.room, busy))
    output = threading.Thread(
        target=_carry_output, args=(process, far, near, feeder), daemon=True, name="winrm-output"
    )
    output.start()
    carrier = threading.Thread(
        target=_carry_input, args=(process, far, feeder, output), daemon=True, name="winrm-input"
    )
    carrier.start()
    return near, carrier


class _Near(End):
    """`reason` is why it ended, where that is not for everybody to be tried again."""

    reason: HostError | None = None

    def recv_into(self, *arguments: Any) -> int:
        """What HTTP's readers call, through a file."""
        count = super().recv_into(*arguments)
        if not count and self.reason is not None:
            raise ConnectionAbortedError(str(self.reason)) from self.reason
        return count


def _carry_input(process: RemoteProcess, far: End, feeder: Feeder, output: threading.Thread) -> None:
    while not far.is_over(_MINUTE) and feeder.failure is None:
        pass
    far.hang_up()
    feeder.stop()
    process.end()
    output.join()
    feeder.join()
    far.close()


def _read(far: End, room: int, busy: Callable[[], bool]) -> Pieces:
    """What waits to be read. While a message is on its way more is gathered, up to what fits into the next."""
    with suppress(OSError):
        while data := far.recv(room):
            while len(data) < room and (is_readable(far.fileno(), 0) or busy()):
                if is_readable(far.fileno(), 0.002):
                    more = far.recv(room - len(data))
                    if not more:
                        break
                    data += more
            yield data, False
        if not far.is_over(0):
            yield b"", True


def _carry_output(process: RemoteProcess, far: End, near: _Near, feeder: Feeder) -> None:
    failure: HostError | None = None
    try:
        with suppress(OSError):
            while True:
                received = process.receive(OPERATION_SECONDS)
                if received.output:
                    far.sendall(received.output)
                if received.exit_code is not None:
                    break
    except HostError as error:
        failure = error
    near.reason = _lasting(feeder.failure) or _lasting(failure)  # what failed with the input is what failed
    far.hang_up()


def _lasting(failure: BaseException | None) -> HostError | None:
    """A connection that was lost is told by the end of the stream alone: the next one may do."""
    lost = failure is None or isinstance(failure.__cause__, ConnectionError)
    return failure if isinstance(failure, HostError) and not lost else None
