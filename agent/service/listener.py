"""The listener itself: the application, the runner and the poller of one home, served over TLS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from agent.service.app import Service, build_app
from agent.service.blobs import Blobs
from agent.service.certificate import Certificate, not_valid_now
from agent.service.deployments import Deployments
from agent.service.doorway import PeerServer
from agent.service.metrics import Counts
from agent.service.peers import Peers
from agent.service.poll import Poller, Polling
from agent.service.runner import Runner
from agent.service.tls import peer_context, server_config

Log = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where to listen, and what for."""

    home: Path
    address: str
    port: int
    host: str
    workers: int
    queue: int
    certificate: Certificate
    requires_signature: bool = False
    poll_url: str = ""
    poll_thumbprint: str = ""


def listen(settings: Listening, log: Log) -> None:
    """Serve until told to stop. HostError if the address cannot be listened at."""
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(settings, log))


async def _serve(settings: Listening, log: Log) -> None:
    folder = settings.home / "service"
    peers = Peers(folder / "peers.json")
    deployments = Deployments(folder / "deployments", settings.queue)
    runner = Runner(deployments, settings.home, settings.host, settings.workers, log)
    service = Service(
        home=settings.home,
        peers=peers,
        blobs=Blobs(folder / "blobs"),
        deployments=deployments,
        runner=runner,
        counts=Counts(),
        requires_signature=settings.requires_signature,
    )
    context = peer_context(settings.certificate, peers)
    poller = _poller(settings, service, log)
    config = server_config(build_app(service), settings.address, settings.port, context)
    server = _Server(config, settings, log, poller)
    running = asyncio.create_task(runner.serve())
    try:
        await server.serve()
    finally:
        if poller is not None:
            poller.stop()
        running.cancel()


def _poller(settings: Listening, service: Service, log: Log) -> Poller | None:
    """For an agent that asks for work as well; its threads do what touches the deployments in our loop."""
    if not settings.poll_url:
        return None
    loop = asyncio.get_running_loop()

    def call(function: Callable[[], object]) -> object:
        async def inside() -> object:
            return function()

        return asyncio.run_coroutine_threadsafe(inside(), loop).result(60)

    polling = Polling(
        url=settings.poll_url,
        thumbprint=settings.poll_thumbprint,
        certificate=settings.certificate,
        home=settings.home,
    )
    return Poller(polling, service.blobs, service.deployments, service.runner, call, log)


class _Server(PeerServer):
    """Says where it listens, and only then lets the poller ask for work."""

    def __init__(self, config: uvicorn.Config, settings: Listening, log: Log, poller: Poller | None) -> None:
        super().__init__(config)
        self._settings = settings
        self._log = log
        self._poller = poller

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._log(f"listening at https://{self._settings.address}:{self.port}")
        own = self._settings.certificate
        self._log(f"thumbprint {own.thumbprint}")
        if reason := not_valid_now(own.der, datetime.now(UTC)):
            self._log(f"nobody will talk to us: our certificate {own.certificate} {reason}")
        if self._poller is not None:
            self._poller.start()
