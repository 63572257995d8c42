"""Runs inside a container of its own: leads the published ports to the application, and can make requests wait.

It stands alone: one file, the standard library, any Python from 3.8. `serve` is the relay; `tell` commands it
over a socket that only its own container reaches. It passes bytes on and knows of HTTP only how a request
begins, so TLS and websockets pass too. What it was last told is in a file beside it, for its restart.

While it holds, connections that wait for an answer get it, new ones wait, and those that are between two
requests are carried over to the new container with the next one.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

CHUNK = 65536
CONNECT_SECONDS = 5.0
QUIET_SECONDS = 0.5
REQUEST = re.compile(rb"[A-Z]{3,10} ")
UNAVAILABLE = b"the application is being replaced and has not come back in time; try again in a moment\n"


def main(arguments: list[str]) -> int:
    """`serve CONTROL LIMIT PORT...`, `tell CONTROL COMMAND [ARGUMENT]`, or `ask HOST PORT PATH`."""
    if arguments[0] == "serve":
        control, limit, *ports = arguments[1:]
        signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
        asyncio.run(serve(int(control), float(limit), [int(port) for port in ports]))
        return 0
    if arguments[0] == "ask":
        return ask(arguments[1], int(arguments[2]), arguments[3])
    return tell(int(arguments[1]), arguments[2:])


def ask(host: str, port: int, path: str) -> int:
    """Whether the application answers well; if not, what is wrong is printed."""
    connection = http.client.HTTPConnection(host, port, timeout=CONNECT_SECONDS)
    try:
        connection.request("GET", path, headers={"User-Agent": "dockwright-health", "Connection": "close"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"http://{host}:{port}{path} does not answer ({error or type(error).__name__})")  # noqa: T201
        return 1
    finally:
        connection.close()
    if not 200 <= status < 400:
        print(f"http://{host}:{port}{path} answers {status}")  # noqa: T201
        return 1
    return 0


async def serve(control: int, limit: float, ports: list[int]) -> None:
    """Relay until the process ends. `limit` is how many seconds a request may wait."""
    await Relay(limit, Path(__file__).with_name("state.json")).serve(control, ports)


def tell(control: int, words: list[str]) -> int:
    """Pass a command to the relay of this container; what it answers is printed."""
    try:
        with socket.create_connection(("127.0.0.1", control), timeout=CONNECT_SECONDS) as connection:
            connection.settimeout(None)
            connection.sendall(json.dumps(words).encode() + b"\n")
            answer = connection.makefile().readline()
    except OSError as error:
        print(f"the relay does not answer: {error}")  # noqa: T201  what `tell` is for
        return 1
    print(answer.strip())  # noqa: T201
    return 0 if answer.startswith("ok") else 1


class Connection:
    """One client, and how far its talk with the application has come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        self.reader = reader
        self.writer = writer
        self.port = port
        self.connected = False
        self.awaiting = False
        self.fresh = True
        self.is_http = False
        self.carried = False
        self.last = time.monotonic()

    def asked(self, data: bytes) -> None:
        if self.fresh:
            self.is_http = REQUEST.match(data) is not None
        self.fresh = False
        self.awaiting = True
        self.last = time.monotonic()

    def answered(self, data: bytes) -> None:
        self.fresh = False
        self.awaiting = self.awaiting and data.startswith(b"HTTP/1.1 100")
        self.is_http = self.is_http and not data.startswith(b"HTTP/1.1 101")
        self.last = time.monotonic()

    def busy(self) -> bool:
        return self.connected and (self.awaiting or time.monotonic() - self.last < QUIET_SECONDS)


class Relay:
    """Where requests go, whether they wait, and who is there. It begins as its file says, else holding."""

    def __init__(self, limit: float, state: Path) -> None:
        self.limit = limit
        self.state = state
        self.connections: set[Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.generation = 0
        self.released = asyncio.Event()
        self.held_until = time.monotonic() + limit
        self.refusing = False
        known = json.loads(state.read_text()) if state.exists() else {}
        self.target = str(known.get("target", ""))
        if self.target and not known.get("held"):
            self.released.set()

    async def serve(self, control: int, ports: list[int]) -> None:
        """Until the process ends. The control socket opens last: once it answers, the ports are ours."""
        for port in ports:
            await asyncio.start_server(self._accepting(port), "0.0.0.0", port, backlog=4096)  # noqa: S104
        server = await asyncio.start_server(self._commanded, "127.0.0.1", control)
        say(f"leading {', '.join(map(str, ports))} to {self.target or 'nobody yet'}")
        await server.serve_forever()

    async def hold(self, seconds: float) -> str:
        """Let new requests wait from now on; answer when those under way are done."""
        self.held_until = time.monotonic() + self.limit + seconds
        self.refusing = False
        self.released.clear()
        self._save()
        deadline = time.monotonic() + seconds
        while (busy := sum(one.busy() for one in self.connections)) and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        for one in self.connections:
            one.carried = one.connected and (one.fresh or one.is_http) and not one.busy()
        self.held_until = time.monotonic() + self.limit
        say(f"holding; {busy} requests are still under way")
        return f"ok {busy}"

    def switch(self, target: str) -> str:
        """Lead to this address from now on, and let those go that wait."""
        self.target = target
        self.generation += 1
        self.released.set()
        self._save()
        say(f"leading to {target}; {len(self.connections)} connections")
        return f"ok {len(self.connections)}"

    async def _commanded(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        words = json.loads(await reader.readline() or "[]")
        if words[:1] == ["hold"]:
            answer = await self.hold(float(words[1]))
        elif words[:1] == ["switch"]:
            answer = self.switch(words[1])
        else:
            answer = f"ok {'leading to ' + self.target if self.released.is_set() else 'holding'}"
        writer.write(f"{answer}\n".encode())
        await writer.drain()
        writer.close()

    def _save(self) -> None:
        draft = self.state.with_suffix(".draft")
        draft.write_text(json.dumps({"target": self.target, "held": not self.released.is_set()}))
        draft.replace(self.state)

    def _accepting(self, port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = Connection(reader, writer, port)
            self.connections.add(connection)
            try:
                await self._attend(connection)
            except OSError:
                pass  # one of both sides has gone
            finally:
                self.connections.discard(connection)
                writer.close()

        return accept

    async def _attend(self, connection: Connection) -> None:
        pending = b""
        while True:
            if not await self._release(connection, pending):
                return
            generation = self.generation
            try:
                reader, writer = await self._connect(connection.port)
            except TimeoutError:
                await refuse(connection, pending)
                return
            connection.connected = True
            try:
                pending, again = await self._exchange(connection, reader, writer, pending, generation)
            finally:
                connection.connected = connection.carried = False
                writer.close()
            if again and not pending:
                pending = await connection.reader.read(CHUNK)
            if not pending:
                return

    async def _release(self, connection: Connection, pending: bytes) -> bool:
        """Wait while requests are held; after the time for that, say so and be done with this one."""
        while not self.released.is_set() and (left := self.held_until - time.monotonic()) > 0:
            await first_of(self.released.wait(), asyncio.sleep(min(left, 1)))
        if self.released.is_set():
            return True
        if not self.refusing:
            self.refusing = True
            say(f"held for {self.limit:g} s; answering 503 until the application is back")
        await refuse(connection, pending)
        return False

    async def _connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """All who waited come at once, and may be more than the application's queue takes: they come again for as
        long as a request may wait."""
        deadline = time.monotonic() + self.limit
        while True:
            connecting = asyncio.ensure_future(asyncio.open_connection(self.target, port))
            await asyncio.wait({connecting}, timeout=CONNECT_SECONDS)
            if connecting.done():
                return connecting.result()
            await stopped(connecting)
            if time.monotonic() > deadline:
                raise TimeoutError(self.target)

    async def _exchange(
        self,
        connection: Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pending: bytes,
        generation: int,
    ) -> tuple[bytes, bool]:
        """Pass bytes both ways. What was not passed on yet, and whether the client goes on with a new container."""
        if pending:
            connection.asked(pending)
            writer.write(pending)
        upwards = asyncio.ensure_future(self._upwards(connection, writer, generation))
        downwards = asyncio.ensure_future(self._downwards(connection, reader))
        try:
            await asyncio.wait({upwards, downwards}, return_when=asyncio.FIRST_COMPLETED)
            if upwards.done():
                rest = upwards.result()
                if rest:
                    return rest, True
                await downwards
                return b"", False
            downwards.exception()
            if connection.carried:
                return b"", True
            return b"", False
        finally:
            await stopped(upwards, downwards)

    async def _upwards(self, connection: Connection, writer: asyncio.StreamWriter, generation: int) -> bytes:
        """Client to application. A request that came after the hold is kept back, and returned."""
        while data := await connection.reader.read(CHUNK):
            if not connection.awaiting and (generation != self.generation or not self.released.is_set()):
                return data
            connection.asked(data)
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        return b""

    async def _downwards(self, connection: Connection, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(CHUNK):
            connection.answered(data)
            connection.writer.write(data)
            await connection.writer.drain()


async def refuse(connection: Connection, pending: bytes) -> None:
    """A clear answer where a request was made in HTTP; anybody else is hung up on."""
    if not pending:
        reading = asyncio.ensure_future(connection.reader.read(CHUNK))
        await asyncio.wait({reading}, timeout=1)
        if reading.done() and not reading.exception():
            pending = reading.result()
        await stopped(reading)
    if REQUEST.match(pending):
        head = (
            "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n"
            f"Content-Type: text/plain\r\nContent-Length: {len(UNAVAILABLE)}\r\n\r\n"
        )
        connection.writer.write(head.encode() + UNAVAILABLE)
        await connection.writer.drain()


async def first_of(*coroutines: Coroutine[Any, Any, object]) -> None:
    """Until one of them is done."""
    tasks = {asyncio.ensure_future(one) for one in coroutines}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await stopped(*tasks)


async def stopped(*tasks: asyncio.Future[Any]) -> None:
    """Cancel them, and wait until they are."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  a container's log


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
