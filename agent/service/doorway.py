"""Who comes in: connections are taken only as far as there is room for them, and the silent make way for others.

Whoever has not come through the handshake may be anybody, so few of these are held, and the one that has taken
longest goes first. Those within are trusted; where they are too many, the one that has been idle longest goes. What
is in the middle of a request is never ended for a newcomer.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Collection
from contextlib import suppress

import uvicorn

from agent.errors import HostError
from agent.service.tls import CONNECTIONS, PeerConnection

HANDSHAKE_SECONDS = 15.0
BACKLOG = 1024
DESCRIPTORS_FOR_OURSELVES = 100
"""Files that the listener and the pipes to its children may have open beside the connections."""

FEWEST = 16
STRANGERS_IN = 8
"""One in so many connections may be in its handshake."""

PAUSE_SECONDS = 0.1


class PeerServer(uvicorn.Server):
    """uvicorn behind a doorway of ours. `config` is from `server_config`; HostError if nobody can listen there."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._doorway: Doorway | None = None

    @property
    def port(self) -> int:
        """Where it listens, once it has started."""
        assert self._doorway is not None
        return self._doorway.port

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        listening = _bound(self.config.host, self.config.port)
        assert self.config.ssl is not None
        self.servers = []
        self._doorway = Doorway(listening, self.config.ssl, self._connection, self.server_state.connections)
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._doorway is not None:
            self._doorway.close()
        await super().shutdown(sockets)

    def _connection(self) -> PeerConnection:
        return PeerConnection(config=self.config, server_state=self.server_state, app_state={})


class Doorway:
    """Takes connections at a socket, leads them through the handshake, and keeps their number bounded."""

    def __init__(
        self,
        listening: socket.socket,
        context: ssl.SSLContext,
        make: Callable[[], PeerConnection],
        inside: Collection[object],
    ) -> None:
        self._listening = listening
        self._context = context
        self._make = make
        self._inside = inside
        most = most_connections()
        self._most_strangers = most // STRANGERS_IN
        self._most_inside = most - self._most_strangers
        self._strangers: dict[asyncio.Task[None], None] = {}
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    @property
    def port(self) -> int:
        port: int = self._listening.getsockname()[1]
        return port

    def close(self) -> None:
        """Take nobody any more; who is within stays."""
        self._accepting.cancel()
        for task in self._strangers:
            task.cancel()
        self._listening.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listening)
            except OSError:  # no descriptor is left after all, or the visitor has gone again
                await self._send_away_slowest()
                self._send_away_idlest()
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            while len(self._strangers) >= self._most_strangers:
                await self._send_away_slowest()
            task = loop.create_task(self._welcome(connection))
            self._strangers[task] = None
            task.add_done_callback(self._strangers.pop)

    async def _welcome(self, connection: socket.socket) -> None:
        """The handshake, and a place within."""
        with suppress(OSError):
            connection.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
            )  # asyncio does so only for its own sockets
            _, protocol = await asyncio.get_running_loop().connect_accepted_socket(
                self._make, connection, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
            if len(self._inside) > self._most_inside and not self._send_away_idlest(protocol):
                protocol.transport.abort()

    async def _send_away_slowest(self) -> None:
        """The handshake that has taken longest is given up, and its socket closed before another is taken."""
        if slowest := next(iter(self._strangers), None):
            slowest.cancel()
            await asyncio.wait({slowest})
            await asyncio.sleep(0)

    def _send_away_idlest(self, spared: object = None) -> bool:
        """End the connection on which nothing has been asked for longest; whether there was one."""
        peers = (each for each in self._inside if isinstance(each, PeerConnection) and each is not spared)
        idle = [each for each in peers if each.is_idle]
        if idle:
            min(idle, key=lambda each: each.idle_since).transport.abort()
        return bool(idle)


def most_connections() -> int:
    """How many there may be at a time, by what this process may have open."""
    try:
        from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit  # type: ignore[attr-defined, unused-ignore]
    except ImportError:  # Windows has no such limit
        return CONNECTIONS
    allowed: int = getrlimit(RLIMIT_NOFILE)[0]
    if allowed == RLIM_INFINITY:
        return CONNECTIONS
    return max(FEWEST, min(CONNECTIONS, allowed - DESCRIPTORS_FOR_OURSELVES))


def _bound(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listening = socket.create_server((address, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise HostError(
            f"nobody can listen at {address}:{port}: it is taken, or not ours; give another --address"
        ) from error
    listening.settimeout(0)
    return listening
