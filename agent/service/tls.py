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
from typing import Any

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from agent.errors import DockwrightError
from agent.service.certificate import Certificate
from agent.service.peers import Peers

REQUEST_SECONDS = 15.0
"""How long a request's first lines may take, and the first request of a connection."""

ANSWER_SECONDS = 60.0
"""How long a peer may leave an answer unread."""

KEEP_ALIVE_SECONDS = 75
CONNECTIONS = 1000
LARGEST_HEADER = 16_384


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
        limit_concurrency=CONNECTIONS + 1,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=LARGEST_HEADER,
    )
    config.load()
    config.ssl = context
    return config


def peer_context(certificate: Certificate, peers: Peers) -> ssl.SSLContext:
    """A server's context in which only `peers` come through the handshake: those of that very moment."""
    context = _PeerContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.options |= ssl.OP_NO_TICKET  # a resumed session would show no certificate
    context.num_tickets = 0
    context.sslobject_class = _OutspokenTLS
    context.load_cert_chain(certificate.certificate, certificate.key)
    context.follow(peers)
    return context


class _PeerContext(ssl.SSLContext):
    """Knows each peer who was added before the handshake. Who was revoked is refused at the next request."""

    def follow(self, peers: Peers) -> None:
        self._peers = peers
        self._known: set[str] = set()
        self._load()

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        with suppress(DockwrightError, ssl.SSLError, ValueError):  # a damaged table trusts nobody new
            self._load()
        return super().wrap_bio(*arguments, **named)

    def _load(self) -> None:
        for peer in self._peers.all():
            if peer.thumbprint not in self._known:
                self.load_verify_locations(cadata=peer.certificate)
                self._known.add(peer.thumbprint)


class _OutspokenTLS(ssl.SSLObject):
    """Tells a peer why it is refused.

    asyncio hangs up when a handshake fails, and with it goes what OpenSSL had to say: that the certificate is not
    trusted, or has expired. Asking for more bytes first makes it send that; when they come, or never do, it hangs up.
    """

    _refusal: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        if self._refusal is not None:
            raise self._refusal
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLSyscallError):
            raise
        except ssl.SSLError as error:
            self._refusal = error
            raise ssl.SSLWantReadError from error


class PeerConnection(H11Protocol):
    """A connection that knows whose it is, and is closed where a request does not come or an answer is not read."""

    idle_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        shown = tls.getpeercert(binary_form=True) if tls is not None else None
        thumbprint = hashlib.sha256(shown).hexdigest() if shown else ""
        self.app_state = {**self.app_state, "thumbprint": thumbprint}
        self.idle_since = self.loop.time()
        self._unread: asyncio.TimerHandle | None = None
        self._unasked: asyncio.TimerHandle | None = self._soon_closed()

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return self.cycle is None or self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._cancel(self._unasked)
            self._unasked = None
        elif self._unasked is None:  # a request has begun, and its first lines are not all here
            self._unasked = self._soon_closed()

    def on_response_complete(self) -> None:
        self.idle_since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._cancel(self._unread)
        self._unread = self.loop.call_later(ANSWER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel(self._unread)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel(self._unasked)
        self._cancel(self._unread)
        super().connection_lost(exc)

    def _soon_closed(self) -> asyncio.TimerHandle:
        return self.loop.call_later(REQUEST_SECONDS, self.transport.close)

    def _cancel(self, timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
