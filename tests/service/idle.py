"""Many who connect and say nothing, beside one who asks: `python -m tests.service.idle`.

They stand at the door (no handshake), are within and silent, or stop in the middle of a request's head. The listener
must answer all the while, hold no more of them than it has files for, and be as before when they have gone.
"""

from __future__ import annotations

import socket
import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from agent.service.client import AgentClient
from tests.service.conftest import Agent

Kind = Literal["at the door", "silent", "half a head"]
KINDS: tuple[Kind, ...] = ("at the door", "silent", "half a head")
HALF = b"GET /healthz HTTP/1.1\r\nHost:"
ASKED = 300


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for files, count in ((0, 500), (0, 5000), (256, 500)):
            agent = Agent(Path(folder) / f"agent-{files}-{count}")
            agent.start(files=files)
            try:
                for kind in KINDS if count <= 500 else KINDS[:1]:  # who is trusted does not come by thousands
                    _told(agent, kind, count, files)
            finally:
                agent.close()


@contextmanager
def crowd(agent: Agent, kind: Kind, count: int) -> Iterator[list[socket.socket]]:
    """So many of one kind; those who were sent away already are among them."""
    context = peer_side(agent)
    made: list[socket.socket] = []
    try:
        made.extend(_one(agent, kind, context) for _ in range(count))
        yield made
    finally:
        for connection in made:
            connection.close()


def peer_side(agent: Agent) -> ssl.SSLContext:
    """TLS as a trusted peer speaks it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(agent.own.certificate, agent.own.key)
    return context


def files_of(process: int) -> int:
    """How many files it has open."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def _one(agent: Agent, kind: Kind, context: ssl.SSLContext) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", agent.port), 30)
    if kind == "at the door":
        return connection
    with suppress(OSError):  # it may be sent away at once
        connection = context.wrap_socket(connection)
        if kind == "half a head":
            connection.sendall(HALF)
    return connection


def _told(agent: Agent, kind: Kind, count: int, files: int) -> None:
    with crowd(agent, kind, count):
        waits = sorted(_waits(agent.client(patience=10)))
        fresh = sorted(next(iter(_waits(agent.client(patience=10), 1))) for _ in range(30))
        memory, held = _memory(agent.process), files_of(agent.process)
    where = f"{count:,} {kind}{f', ulimit -n {files}' if files else ''}"
    middle, late = (waits[int(len(waits) * part)] * 1000 for part in (0.5, 0.99))
    print(
        f"{where}: asked on a kept connection p50 {middle:.1f} ms, p99 {late:.1f} ms; on a new one at most "
        f"{fresh[-1] * 1000:.0f} ms; {held} files open, {memory:.0f} MB",
        flush=True,
    )


def _waits(client: AgentClient, times: int = ASKED) -> Iterator[float]:
    for _ in range(times):
        began = time.perf_counter()
        client.capabilities()
        yield time.perf_counter() - began


def _memory(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


if __name__ == "__main__":
    main()
