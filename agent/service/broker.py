"""The other side of `dockwright listen --poll`: where agents that cannot be reached ask for work.

A deployment server embeds `Broker` and serves `broker.app`, over TLS in which agents show their certificates; whoever
serves it puts the thumbprint into the scope's state, as `agent/service/listener.py` does. What is queued lives in
memory: after a restart the server queues it again, under the same ids, which harms nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from agent.service.peers import Peers
from agent.service.protocol import (
    FINAL,
    DeploymentRequest,
    DeploymentStatus,
    LogCursor,
    LogReport,
    Poll,
    Problem,
    Work,
    is_sha256,
)

LONGEST_WAIT = 60.0
LARGEST_REPORT = 4_000_000


@dataclass(kw_only=True)
class Queued:
    """A deployment for one agent, with all that the agent has told of it. `events` are lines of JSON."""

    agent: str
    body: str
    taken: bool = False
    cancelled: bool = False
    status: DeploymentStatus | None = None
    cursor: int = 0
    events: list[bytes] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return self.status is not None and self.status.state in FINAL


class Broker:
    """Queues deployments for agents, which are named by their certificates' thumbprints, and follows them.

    All its methods belong to the event loop that serves `app`.
    """

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._queue: dict[str, Queued] = {}
        self._blobs: dict[str, Path] = {}
        self._sealing_keys: dict[str, str] = {}
        self._changed = asyncio.Condition()
        self.app = Starlette(
            routes=[
                Route("/v1/agents/poll", self._known(self._poll), methods=["POST"]),
                Route("/v1/agents/report", self._known(self._report), methods=["POST"]),
                Route("/v1/blobs/{sha256}", self._known(self._blob), methods=["GET"]),
            ]
        )

    async def enqueue(
        self, agent: str, deployment: str, request: DeploymentRequest, blobs: Mapping[str, Path] | None = None
    ) -> None:
        """Let an agent do this. The same id again changes nothing. `blobs` are files by their SHA-256."""
        async with self._changed:
            self._blobs.update(blobs or {})
            body = msgspec.json.encode(request).decode()
            self._queue.setdefault(deployment, Queued(agent=agent, body=body))
            self._changed.notify_all()

    async def cancel(self, deployment: str) -> None:
        """Ask the agent for the end of it."""
        async with self._changed:
            self._queue[deployment].cancelled = True
            self._changed.notify_all()

    async def sealing_key(self, agent: str) -> str:
        """The key that variables for this agent are sealed to; waits until it has asked for the first time."""
        async with self._changed:
            await self._changed.wait_for(lambda: agent in self._sealing_keys)
            return self._sealing_keys[agent]

    async def wait(self, deployment: str) -> Queued:
        """The deployment, once it has ended and all of its log is here."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._queue[deployment].ended)
            return self._queue[deployment]

    def look(self, deployment: str) -> Queued:
        """How far it is."""
        return self._queue[deployment]

    async def _poll(self, request: Request, agent: str) -> Response:
        asked = msgspec.json.decode(await _body(request), type=Poll)
        async with self._changed:
            if self._sealing_keys.get(agent) != asked.sealing_key:
                self._sealing_keys[agent] = asked.sealing_key
                self._changed.notify_all()
            try:
                async with asyncio.timeout(min(LONGEST_WAIT, max(0.0, asked.wait))):
                    await self._changed.wait_for(lambda: self._work(agent, asked) != Work())
            except TimeoutError:
                return _json(Work())
            return _json(self._work(agent, asked))

    def _work(self, agent: str, asked: Poll) -> Work:
        """A deployment is handed out until the agent says that it knows it."""
        mine = {name: each for name, each in self._queue.items() if each.agent == agent and not each.ended}
        for name in asked.known:
            if name in mine:
                mine[name].taken = True
        cancel = [name for name, each in mine.items() if each.cancelled and each.taken]
        new = next((name for name, each in mine.items() if not each.taken and name not in asked.known), "")
        return Work(id=new, body=mine[new].body if new else "", cancel=cancel)

    async def _report(self, request: Request, agent: str) -> Response:
        told = msgspec.json.decode(await _body(request), type=LogReport)
        async with self._changed:
            queued = self._queue.get(told.status.id)
            if queued is None or queued.agent != agent:
                return _json(LogCursor(next=told.next))  # not ours (any more): let it be forgotten there
            queued.taken = True
            if told.after == queued.cursor:
                queued.events += [bytes(event) for event in told.events]
                queued.cursor = told.next
                if not told.events or told.status.state not in FINAL:
                    queued.status = told.status
            self._changed.notify_all()
            return _json(LogCursor(next=queued.cursor))

    async def _blob(self, request: Request, _agent: str) -> Response:
        sha256: str = request.path_params["sha256"]
        path = self._blobs.get(sha256) if is_sha256(sha256) else None
        return _problem(404, "there is no such blob here") if path is None else FileResponse(path)

    def _known(
        self, handler: Callable[[Request, str], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            agent = request.scope.get("state", {}).get("thumbprint", "")
            if self._peers.find(agent) is None:
                return _problem(403, "this certificate is not trusted here (any more)")
            try:
                return await handler(request, agent)
            except msgspec.DecodeError as error:
                return _problem(400, f"the body is not as it should be: {error}")

        return answer


async def _body(request: Request) -> bytes:
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > LARGEST_REPORT:
            raise msgspec.DecodeError(f"more than {LARGEST_REPORT:,} bytes")
    return bytes(pieces)


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def _problem(code: int, message: str) -> Response:
    return Response(msgspec.json.encode(Problem(error=message)), code, media_type="application/json")
