"""A road to the listener on which connections are cut, each time where the plan says.

It need not read what passes: a client asks and waits for the answer, so whatever it sends after the other side has
spoken is its next request. The first turn is the handshake's.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

Fault = Literal["before", "half", "after", "none"]
"""Where a request is cut: before any of it is delivered, in the middle, after all of it but before the answer."""

SILENCE = 60.0


@contextmanager
def chaos(port: int, faults: Callable[[], Fault]) -> Iterator[int]:
    """A port that leads to `port`; `faults` is asked at every request."""
    listening = socket.create_server(("127.0.0.1", 0))
    accepting = threading.Thread(target=_accept, args=(listening, port, faults), daemon=True)
    accepting.start()
    try:
        yield listening.getsockname()[1]
    finally:
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        accepting.join(5)


def _accept(listening: socket.socket, port: int, faults: Callable[[], Fault]) -> None:
    with suppress(OSError):
        while True:
            client, _ = listening.accept()
            threading.Thread(target=_carry, args=(client, port, faults), daemon=True).start()


def _carry(client: socket.socket, port: int, faults: Callable[[], Fault]) -> None:
    with client, suppress(OSError), socket.create_connection(("127.0.0.1", port)) as server:
        turns, clients_turn, fault = 0, False, "none"
        while ready := select.select([client, server], [], [], SILENCE)[0]:
            for source in ready:
                data = source.recv(1 << 16)
                if not data:
                    return
                if source is server:
                    clients_turn = False
                    if fault == "after":
                        return
                    client.sendall(data)
                    continue
                if not clients_turn:
                    clients_turn, turns = True, turns + 1
                    fault = faults() if turns > 1 else "none"
                if fault == "before":
                    return
                if fault == "half":
                    server.sendall(data[: len(data) // 2])
                    return
                server.sendall(data)
