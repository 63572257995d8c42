"""HTTP to a registry, on http.client: one kept connection per origin, limits on everything, retries.

Requests go where they are told to and nowhere else: redirects are answers like others, and it is for the
caller to say whether what it sends may go to another place.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from time import monotonic, sleep

from agent.errors import RegistryError

_SECONDS = 30.0
_WHOLE_ANSWER_SECONDS = 120.0
_LARGEST_ANSWER = 8 * 1024 * 1024
_PAUSES = (0.5, 2.0)
_LONGEST_PAUSE = 20.0
_PASSING = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a request goes. `host` is lower case, IPv6 without brackets."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        usual = 443 if self.scheme == "https" else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == usual else f":{self.port}")


@dataclass(frozen=True, kw_only=True)
class Request:
    """`headers` never show in a representation: they may hold credentials."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`headers` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


class Transport:
    """Sends requests. `tls` gives the context for an origin; `pause` waits between attempts."""

    def __init__(self, tls: Callable[[Origin], ssl.SSLContext], pause: Callable[[float], None] = sleep) -> None:
        self._tls = tls
        self._pause = pause
        self._connections: dict[Origin, HTTPConnection] = {}

    def send(self, origin: Origin, request: Request) -> Answer:
        """One answer; what may pass (429, 5xx, a broken connection) is tried three times.

        RegistryError if there is none. An answer of 4xx or 5xx is an answer.
        """
        for pause in (*_PAUSES, None):
            try:
                answer = self._attempt(origin, request)
            except (OSError, HTTPException, ValueError) as error:
                self._drop(origin)
                if pause is None or not _may_pass(error):
                    raise unreachable(origin, error) from error
            else:
                if pause is None or answer.status not in _PASSING:
                    return answer
                pause = _asked_pause(answer, pause)  # noqa: PLW2901  the registry may ask for more
            self._pause(pause)
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        for origin in list(self._connections):
            self._drop(origin)

    def _attempt(self, origin: Origin, request: Request) -> Answer:
        kept = self._connections.get(origin)
        if kept is not None:
            try:
                return self._exchange(kept, request)
            except (ConnectionError, HTTPException):
                self._drop(origin)  # the other side may close an idle connection at any time
        connection = self._connections[origin] = self._connect(origin)
        return self._exchange(connection, request)

    def _connect(self, origin: Origin) -> HTTPConnection:
        if origin.scheme == "https":
            return HTTPSConnection(origin.host, origin.port, timeout=_SECONDS, context=self._tls(origin))
        return HTTPConnection(origin.host, origin.port, timeout=_SECONDS)

    def _exchange(self, connection: HTTPConnection, request: Request) -> Answer:
        length = {"Content-Length": str(len(request.body))} if request.method in ("POST", "PUT", "PATCH") else {}
        connection.request(request.method, request.path, request.body or None, {**length, **request.headers})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        body = _body(response)
        response.close()  # else the connection would not be free for the next request
        return Answer(status=response.status, headers=headers, body=body)

    def _drop(self, origin: Origin) -> None:
        if connection := self._connections.pop(origin, None):
            connection.close()


def unreachable(origin: Origin, error: Exception) -> RegistryError:
    return RegistryError(f"{origin}: {_reason(error)}")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message}); add its CA to /etc/docker/certs.d/<registry>/"
        )
    if isinstance(error, ssl.SSLError):
        return f"no TLS connection ({error.reason or 'unknown reason'}); does it speak plain http?"
    if isinstance(error, ConnectionRefusedError):
        return "nobody answers at the registry's address; is it running?"
    if isinstance(error, TimeoutError):
        return "the registry did not answer in time; try again"
    if _is_name_error(error):
        return "the registry's name is not known; see its spelling and the DNS"
    return f"the connection to the registry broke ({type(error).__name__}: {str(error)[:200]})"


def _may_pass(error: Exception) -> bool:
    lasting = (ssl.SSLError, ConnectionRefusedError, ValueError)
    return not isinstance(error, lasting) and not _is_name_error(error)


def _is_name_error(error: Exception) -> bool:
    import socket

    return isinstance(error, socket.gaierror)


def _asked_pause(answer: Answer, otherwise: float) -> float:
    asked = answer.headers.get("retry-after", "")
    return min(max(float(asked), otherwise), _LONGEST_PAUSE) if asked.isascii() and asked.isdigit() else otherwise


def _body(response: HTTPResponse) -> bytes:
    """At most 8 MiB within two minutes, whatever length was claimed."""
    deadline = monotonic() + _WHOLE_ANSWER_SECONDS
    parts = bytearray()
    while part := response.read1(64 * 1024):
        parts += part
        if len(parts) > _LARGEST_ANSWER:
            raise HTTPException("the answer is too large")
        if monotonic() > deadline:
            raise TimeoutError
    return bytes(parts)
