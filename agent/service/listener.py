"""The listener itself: TLS in which both sides show a certificate, around the application.

Python's TLS cannot ask us about a certificate, so every trusted one is made an anchor of its own; and since an
anchor could vouch for others, the thumbprint of what was really shown is looked up again at every request.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from agent.errors import HostError
from agent.service.app import Service, build_app
from agent.service.blobs import Blobs
from agent.service.certificate import Certificate
from agent.service.deployments import Deployments
from agent.service.metrics import Counts
from agent.service.peers import Peers
from agent.service.runner import Runner

FIRST_REQUEST_SECONDS = 15.0
KEEP_ALIVE_SECONDS = 75
CONNECTIONS = 1000
LARGEST_HEADER = 16_384
PEERS_SECONDS = 0.5

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
    context = _context(settings.certificate, peers)
    server = _Server(_config(service, settings, context), settings, log)
    beside = [asyncio.create_task(runner.serve()), asyncio.create_task(_follow_peers(context, peers))]
    try:
        await server.serve()
    finally:
        for task in beside:
            task.cancel()


def _config(service: Service, settings: Listening, context: ssl.SSLContext) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        build_app(service),
        host=settings.address,
        port=settings.port,
        http=_Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=LARGEST_HEADER,
    )
    config.load()
    config.ssl = context
    return config


def _context(certificate: Certificate, peers: Peers) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.options |= ssl.OP_NO_TICKET  # a resumed session would show no certificate
    context.num_tickets = 0
    context.load_cert_chain(certificate.certificate, certificate.key)
    _load(context, peers)
    return context


def _load(context: ssl.SSLContext, peers: Peers) -> None:
    for peer in peers.all():
        context.load_verify_locations(cadata=peer.certificate)


async def _follow_peers(context: ssl.SSLContext, peers: Peers) -> None:
    """Who is added while we listen can connect at once; who is revoked is refused at the next request."""
    known = {peer.thumbprint for peer in peers.all()}
    while True:
        await asyncio.sleep(PEERS_SECONDS)
        with suppress(Exception):
            added = [peer for peer in peers.all() if peer.thumbprint not in known]
            for peer in added:
                context.load_verify_locations(cadata=peer.certificate)
                known.add(peer.thumbprint)


class _Server(uvicorn.Server):
    """Says where it listens; a taken address is one line."""

    def __init__(self, config: uvicorn.Config, settings: Listening, log: Log) -> None:
        super().__init__(config)
        self._settings = settings
        self._log = log

    async def startup(self, sockets: Any = None) -> None:
        where = f"{self._settings.address}:{self._settings.port}"
        try:
            await super().startup(sockets)
        except SystemExit as error:
            raise HostError(
                f"nobody can listen at {where}: it is taken, or not ours; give another --address"
            ) from error
        port = self.servers[0].sockets[0].getsockname()[1]
        self._log(f"listening at https://{self._settings.address}:{port}")
        self._log(f"thumbprint {self._settings.certificate.thumbprint}")


class _Connection(H11Protocol):
    """A connection that knows whose it is, and is closed if nothing is asked on it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        shown = tls.getpeercert(binary_form=True) if tls is not None else None
        thumbprint = hashlib.sha256(shown).hexdigest() if shown else ""
        self.app_state = {**self.app_state, "thumbprint": thumbprint}
        self._first = self.loop.call_later(FIRST_REQUEST_SECONDS, self._close_if_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        self._first.cancel()
        super().connection_lost(exc)

    def _close_if_silent(self) -> None:
        asked = getattr(self, "scope", None) is not None
        if not asked and not self.transport.is_closing():
            self.transport.close()
