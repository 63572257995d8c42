"""One HTTPS connection to a peer that is known by its thumbprint, made again when it breaks.

It looks at the other side's certificate before it says anything, and shows its own. Every request may be made twice
without harm, so after a cut connection it is simply made again, for as long as there is patience.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import random
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from agent.errors import DockwrightError, HostError, InputError
from agent.service.certificate import Certificate, not_valid_now, parse_thumbprint
from agent.service.protocol import DEFAULT_PORT, Problem

CALL_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.2
REFUSAL_SECONDS = 0.5
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"})
_BY_STATUS = {403: "we may not do this there; see dockwright trust list on it"}
_RETRIED = frozenset({408, 429, 502, 503, 504})

T = TypeVar("T")


class RefusedError(DockwrightError):
    """The agent does not do what was asked; `status` as HTTP has it."""

    exit_code = HostError.exit_code

    def __init__(self, message: str, status: int, offset: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.offset = offset


class Connection:
    """A connection to `url`, whose certificate has the SHA-256 `thumbprint`. Not for several threads at once.

    `patience` is how many seconds a request is tried again while the other side cannot be reached or is busy;
    `waiting` is told once why that is.
    """

    def __init__(
        self,
        url: str,
        thumbprint: str,
        certificate: Certificate,
        *,
        patience: float = 60,
        waiting: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._host, self._port = _address(url)
        self.url = f"https://{urlsplit(url).netloc}"
        self._thumbprint = parse_thumbprint(thumbprint)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE  # the thumbprint is what counts; see _connected
        self._context.load_cert_chain(certificate.certificate, certificate.key)
        self._certificate = certificate
        self._patience = patience
        self._waiting = waiting
        self._told = False
        self._was_hung_up = False
        self._connection: http.client.HTTPSConnection | None = None

    def fetch(self, path: str, start: int, count: int) -> tuple[bytes, int]:
        """At most `count` bytes of a file from `start` on, and the length of all of it."""
        headers = {"Range": f"bytes={start}-{start + count - 1}"}
        response, data = self._exchanged("GET", path, None, headers, wait=0)
        self._judged(response, data, (206,))
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        if not total.isdigit():
            raise HostError(f"{self.url} does not say how long {path} is; it is no broker of dockwright's")
        return data, int(total)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def answer(
        self,
        method: str,
        path: str,
        type_: type[T],
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        wait: float = 0,
    ) -> T:
        _, data = self.ask(method, path, body, headers, wait=wait)
        try:
            return msgspec.json.decode(data, type=type_)
        except msgspec.DecodeError as error:
            raise HostError(f"{self.url} answers what no agent would: {error}") from error

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        wait: float = 0,
        accepted: tuple[int, ...] = (200, 201),
    ) -> tuple[int, bytes]:
        response, data = self._exchanged(method, path, body, headers or {}, wait=wait)
        return self._judged(response, data, accepted)

    def _exchanged(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], *, wait: float
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """The answer to a request, made as often as there is patience for."""
        deadline = time.monotonic() + self._patience
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                connection = self._connected(wait)
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                data = response.read()
                if response.status not in _RETRIED or time.monotonic() > deadline:
                    self._told = False
                    return response, data
                pause = max(pause, _retry_after(response))
                reason = f"{self.url} is busy ({response.status})"
            except (OSError, http.client.HTTPException) as error:
                reason = self._after_failure(error)
                if time.monotonic() > deadline:
                    raise HostError(reason) from error
            if pause > FIRST_PAUSE_SECONDS:  # that a connection was closed while it was idle is not worth a word
                self._tell(reason)
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  not for secrets
            pause = min(10.0, pause * 2)

    def _after_failure(self, error: Exception) -> str:
        """Why a request may be made again. HostError where that is of no use."""
        self.close()
        reason = error.reason or "" if isinstance(error, ssl.SSLError) else ""
        if "ALERT" in reason:
            raise HostError(_not_trusted(self.url, self._certificate, reason)) from error
        if reason in _NO_TLS:
            raise HostError(f"{self.url} is no agent: what answers there does not speak TLS; see its port") from error
        self._was_hung_up = isinstance(error, http.client.RemoteDisconnected | ConnectionError | ssl.SSLEOFError)
        return _unreachable(self.url, error)

    def _tell(self, reason: str) -> None:
        if not self._told:
            self._waiting(f"{reason}; it is tried again for {self._patience:g} s")
        self._told = True

    def _judged(
        self, response: http.client.HTTPResponse, data: bytes, accepted: tuple[int, ...]
    ) -> tuple[int, bytes]:
        if response.status in accepted:
            return response.status, data
        try:
            problem = msgspec.json.decode(data, type=Problem).error
        except msgspec.DecodeError:  # some answers have no body
            problem = _BY_STATUS.get(response.status, f"it answers {response.status}")
        offset = response.headers.get("Upload-Offset", "")
        raise RefusedError(f"{self.url}: {problem}", response.status, int(offset) if offset.isdigit() else None)

    def _connected(self, wait: float) -> http.client.HTTPSConnection:
        """The connection, opened and checked if need be."""
        if self._connection is None:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=CALL_SECONDS, context=self._context
            )
            connection.connect()
            try:
                self._require_pinned(connection.sock.getpeercert(binary_form=True) or b"")
                self._hear_refusal(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        self._connection.sock.settimeout(CALL_SECONDS + wait)
        return self._connection

    def _require_pinned(self, shown: bytes) -> None:
        """HostError unless the certificate is the one that was given, and valid."""
        actual = hashlib.sha256(shown).hexdigest()
        if not hmac.compare_digest(actual, self._thumbprint):
            raise HostError(
                f"{self.url} shows a certificate with the thumbprint {actual}, not the one that was given; "
                "nothing was sent; see dockwright trust show on the agent"
            )
        if reason := not_valid_now(shown, datetime.now(UTC)):
            raise HostError(
                f"{self.url} shows a certificate that {reason}; nothing was sent; remove certificate.pem and key.pem "
                "from service/ in the agent's home and start it again for a new one"
            )

    def _hear_refusal(self, connection: http.client.HTTPSConnection) -> None:
        """Give the other side time to say that it does not trust us.

        It may say so only after our half of the handshake, and a request that is under way then makes the answer
        disappear: so after it has hung up once, we listen for a moment before we speak.
        """
        if not self._was_hung_up:
            return
        connection.sock.settimeout(REFUSAL_SECONDS)
        with suppress(TimeoutError):
            if not connection.sock.recv(1):
                raise http.client.RemoteDisconnected("it hung up")


def _address(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError as error:
        raise InputError(f"{url}: an agent is given as https://HOST:PORT, the port being up to 65535") from error
    given_otherwise = parts.username or parts.path.strip("/") or parts.query or parts.fragment
    if parts.scheme != "https" or not host or given_otherwise:
        raise InputError(f"{url}: an agent is given as https://HOST:PORT")
    return host, port


def _retry_after(response: http.client.HTTPResponse) -> float:
    text = response.headers.get("Retry-After", "")
    return min(60.0, float(text)) if text.isdigit() else 0.0


def _unreachable(url: str, error: Exception) -> str:
    if isinstance(error, http.client.RemoteDisconnected | ConnectionResetError):
        return f"{url} hangs up: it is restarting, or does not trust this certificate; see dockwright trust"
    reason = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
    return f"{url} cannot be reached: {reason}; see its address, and that it listens"


def _not_trusted(url: str, own: Certificate, reason: str) -> str:
    if "EXPIRED" in reason:
        return (
            f"{url} says that our certificate {own.certificate} has expired; if the clocks agree, remove it and its "
            "key for a new one, and let the agent trust that"
        )
    if "BAD_CERTIFICATE" in reason:
        return f"{url} says that our certificate {own.certificate} is not valid yet; its clock or ours is wrong"
    return (
        f"{url} does not trust us; copy {own.certificate} to it, and there: dockwright trust add NAME "
        f"--certificate FILE --thumbprint {own.thumbprint}"
    )
