"""TLS in which both sides show a certificate, for the listener and for whoever embeds a broker.

Python's TLS cannot ask us about a certificate, so every trusted one is made an anchor of its own; and since an
anchor could vouch for others, the thumbprint of what was really shown is looked up again at every request. It is in
the request's state, as `thumbprint`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
from contextlib import suppress

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from agent.service.certificate import Certificate
from agent.service.peers import Peers

FIRST_REQUEST_SECONDS = 15.0
KEEP_ALIVE_SECONDS = 75
CONNECTIONS = 1000
LARGEST_HEADER = 16_384
PEERS_SECONDS = 0.5


def server_config(app: Starlette, address: str, port: int, context: ssl.SSLContext) -> uvicorn.Config:
    """How uvicorn is to serve `app` to peers."""
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        app,
        host=address,
        port=port,
        http=PeerConnection,
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


def peer_context(certificate: Certificate, peers: Peers) -> ssl.SSLContext:
    """A server's context in which only `peers` come through the handshake."""
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


async def follow_peers(context: ssl.SSLContext, peers: Peers) -> None:
    """Who is added while we listen can connect at once; who is revoked is refused at the next request."""
    known = {peer.thumbprint for peer in peers.all()}
    while True:
        await asyncio.sleep(PEERS_SECONDS)
        with suppress(Exception):
            added = [peer for peer in peers.all() if peer.thumbprint not in known]
            for peer in added:
                context.load_verify_locations(cadata=peer.certificate)
                known.add(peer.thumbprint)


class PeerConnection(H11Protocol):
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
