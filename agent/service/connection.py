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
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from agent.errors import DockwrightError, HostError, InputError
from agent.service.certificate import Certificate, parse_thumbprint
from agent.service.protocol import DEFAULT_PORT, Problem

CALL_SECONDS = 30.0
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

    `patience` is how many seconds a request is tried again while the other side cannot be reached or is busy.
    """

    def __init__(self, url: str, thumbprint: str, certificate: Certificate, *, patience: float = 60) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.path.strip("/"):
            raise InputError(f"{url}: an agent is given as https://HOST:PORT")
        self.url = f"https://{parts.netloc}"
        self._host, self._port = parts.hostname, parts.port or DEFAULT_PORT
        self._thumbprint = parse_thumbprint(thumbprint)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE  # the thumbprint is what counts; see _connected
        self._context.load_cert_chain(certificate.certificate, certificate.key)
        self._patience = patience
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
        pause = 0.2
        while True:
            try:
                connection = self._connected(wait)
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                data = response.read()
                if response.status not in _RETRIED or time.monotonic() > deadline:
                    return response, data
                pause = max(pause, _retry_after(response))
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if isinstance(error, ssl.SSLError) and "ALERT" in str(error).upper():
                    raise HostError(_not_trusted(self.url)) from error
                if time.monotonic() > deadline:
                    raise HostError(_unreachable(self.url, error)) from error
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  not for secrets
            pause = min(10.0, pause * 2)

    def _judged(
        self, response: http.client.HTTPResponse, data: bytes, accepted: tuple[int, ...]
    ) -> tuple[int, bytes]:
        if response.status in accepted:
            return response.status, data
        try:
            problem = msgspec.json.decode(data, type=Problem).error
        except msgspec.DecodeError:
            problem = f"it answers {response.status}"
        offset = response.headers.get("Upload-Offset", "")
        raise RefusedError(f"{self.url}: {problem}", response.status, int(offset) if offset.isdigit() else None)

    def _connected(self, wait: float) -> http.client.HTTPSConnection:
        """The connection, opened and checked if need be."""
        if self._connection is None:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=CALL_SECONDS, context=self._context
            )
            connection.connect()
            shown = connection.sock.getpeercert(binary_form=True)
            actual = hashlib.sha256(shown or b"").hexdigest()
            if not hmac.compare_digest(actual, self._thumbprint):
                connection.close()
                raise HostError(
                    f"{self.url} shows a certificate with the thumbprint {actual}, not the one that was given; "
                    "nothing was sent; see dockwright trust show on the agent"
                )
            self._connection = connection
        self._connection.sock.settimeout(CALL_SECONDS + wait)
        return self._connection


def _retry_after(response: http.client.HTTPResponse) -> float:
    text = response.headers.get("Retry-After", "")
    return min(60.0, float(text)) if text.isdigit() else 0.0


def _unreachable(url: str, error: Exception) -> str:
    if isinstance(error, http.client.RemoteDisconnected | ConnectionResetError):
        return f"{url} hangs up: it is restarting, or does not trust this certificate; see dockwright trust"
    return f"{url} cannot be reached: {error or type(error).__name__}; see its address, and that it listens"


def _not_trusted(url: str) -> str:
    return f"{url} does not trust this certificate; on the agent: dockwright trust add NAME --certificate FILE …"
