"""HTTP to a registry, on http.client: one kept connection per origin, limits on everything, retries.

Requests go where they are told to and nowhere else: redirects are answers like others, and it is for the
caller to say whether what it sends may go to another place.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from time import monotonic, sleep
from typing import TypeVar

import msgspec

from agent.errors import RegistryError
from agent.registry.connections import open_connection, request_target
from agent.registry.destinations import DestinationError
from agent.registry.origin import Origin

_SECONDS = 30.0
_WHOLE_ANSWER_SECONDS = 120.0
_SLOWEST_BYTES_PER_SECOND = 10_000
_LARGEST_ANSWER = 8 * 1024 * 1024
_PAUSES = (0.5, 2.0)
_LONGEST_PAUSE = 20.0
_PASSING = frozenset({429, 500, 502, 503, 504})
_PIECE = 256 * 1024

_Got = TypeVar("_Got", bound="Answer | Stream")


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


class Traffic(msgspec.Struct):
    """What was asked: `sent` are the bytes of requests, their first lines and headers included, without TLS."""

    requests: int = 0
    sent: int = 0


class Stream:
    """An answer of 200 or 206 whose body is still to be read, once, by `chunks`."""

    def __init__(
        self, origin: Origin, connection: HTTPConnection, response: HTTPResponse, done: Callable[[], None]
    ) -> None:
        self.status = response.status
        self.headers = _headers(response)
        self._origin = origin
        self._connection = connection
        self._response = response
        self._done = done

    def chunks(self) -> Iterator[bytes]:
        """The body. RegistryError if it breaks off, or comes too slowly."""
        try:
            yield from _pieces(self._response)
        except (OSError, HTTPException, ValueError) as error:
            raise unreachable(self._origin, error) from error
        finally:
            if self._response.isclosed():
                self._done()
            else:
                self.close()

    def close(self) -> None:
        """For those who do not read it to its end."""
        self._response.close()
        self._connection.close()


class Transport:
    """Sends requests. `tls` gives the context for an origin; `pause` waits between attempts.

    Metadata services are never asked; this machine and its link only with `allow_local`.
    """

    def __init__(
        self,
        tls: Callable[[Origin], ssl.SSLContext],
        pause: Callable[[float], None] = sleep,
        *,
        allow_local: bool = True,
    ) -> None:
        self.traffic = Traffic()
        self._tls = tls
        self._pause = pause
        self._allow_local = allow_local
        self._idle: dict[Origin, HTTPConnection] = {}

    def send(self, origin: Origin, request: Request) -> Answer:
        """One answer; what may pass (429, 5xx, a broken connection) is tried three times.

        RegistryError if there is none. An answer of 4xx or 5xx is an answer.
        """
        return self._retried(origin, lambda: self._answer(origin, request))

    def stream(self, origin: Origin, request: Request, *, only_public: bool = False) -> Answer | Stream:
        """As `send`, but an answer of 200 or 206 is left to be read.

        `only_public` is for places that somebody else has named: RegistryError, before anything is sent, if
        the address is this machine's own or one of its link.
        """
        return self._retried(origin, lambda: self._opened(origin, request, only_public=only_public))

    def close(self) -> None:
        while self._idle:
            self._idle.popitem()[1].close()

    def _retried(self, origin: Origin, attempt: Callable[[], _Got]) -> _Got:
        for pause in (*_PAUSES, None):
            try:
                answer = attempt()
            except (OSError, HTTPException, ValueError) as error:
                if pause is None or not _may_pass(error):
                    raise unreachable(origin, error) from error
            else:
                if pause is None or answer.status not in _PASSING:
                    return answer
                pause = _asked_pause(answer.headers, pause)  # noqa: PLW2901  the registry may ask for more
            self._pause(pause)
        raise AssertionError("the last attempt returns or raises")

    def _answer(self, origin: Origin, request: Request) -> Answer:
        connection, response = self._exchange(origin, request, only_public=False)
        return self._whole(origin, connection, response)

    def _opened(self, origin: Origin, request: Request, *, only_public: bool) -> Answer | Stream:
        connection, response = self._exchange(origin, request, only_public=only_public)
        if response.status not in (200, 206):
            return self._whole(origin, connection, response)
        return Stream(origin, connection, response, lambda: self._keep(origin, connection))

    def _exchange(
        self, origin: Origin, request: Request, *, only_public: bool
    ) -> tuple[HTTPConnection, HTTPResponse]:
        kept = None if only_public else self._idle.pop(origin, None)
        if kept is not None:
            try:
                return kept, self._asked(kept, origin, request)
            except (ConnectionError, HTTPException):
                kept.close()  # the other side may close an idle connection at any time
        connection = self._connect(origin, only_public=only_public)
        try:
            return connection, self._asked(connection, origin, request)
        except BaseException:
            connection.close()
            raise

    def _connect(self, origin: Origin, *, only_public: bool) -> HTTPConnection:
        allow_local = self._allow_local and not only_public
        try:
            return open_connection(
                origin,
                lambda host, port: self._connection(origin, host, port),
                lambda: self._tls(origin),
                allow_local=allow_local,
            )
        except DestinationError as error:
            if not only_public:
                raise
            raise RegistryError(
                f"the registry sends us to {origin.host}, which is an address of this machine; it is not asked"
            ) from error

    def _connection(self, origin: Origin, host: str, port: int) -> HTTPConnection:
        if origin.scheme == "https":
            return _CountedTls(host, port, timeout=_SECONDS, context=self._tls(origin), traffic=self.traffic)
        return _Counted(host, port, timeout=_SECONDS, traffic=self.traffic)

    def _asked(self, connection: HTTPConnection, origin: Origin, request: Request) -> HTTPResponse:
        self.traffic.requests += 1
        length = {"Content-Length": str(len(request.body))} if request.method in ("POST", "PUT", "PATCH") else {}
        target, for_proxy = request_target(origin, request.path)
        headers = {**length, **request.headers, **for_proxy}
        connection.request(request.method, target, request.body or None, headers)
        return connection.getresponse()

    def _whole(self, origin: Origin, connection: HTTPConnection, response: HTTPResponse) -> Answer:
        try:
            body = _body(response, origin)
        except BaseException:
            connection.close()
            raise
        response.close()  # else the connection would not be free for the next request
        self._keep(origin, connection)
        return Answer(status=response.status, headers=_headers(response), body=body)

    def _keep(self, origin: Origin, connection: HTTPConnection) -> None:
        if other := self._idle.pop(origin, None):
            other.close()
        if connection.sock is not None:  # else it would be opened again by itself, to wherever the name leads then
            self._idle[origin] = connection


class _Counted(HTTPConnection):
    def __init__(self, host: str, port: int, *, timeout: float, traffic: Traffic) -> None:
        super().__init__(host, port, timeout=timeout)
        self._traffic = traffic

    def send(self, data: object) -> None:
        assert isinstance(data, bytes)
        self._traffic.sent += len(data)
        super().send(data)


class _CountedTls(HTTPSConnection):
    def __init__(self, host: str, port: int, *, timeout: float, context: ssl.SSLContext, traffic: Traffic) -> None:
        super().__init__(host, port, timeout=timeout, context=context)
        self._traffic = traffic

    def send(self, data: object) -> None:
        assert isinstance(data, bytes)
        self._traffic.sent += len(data)
        super().send(data)


def _headers(response: HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


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


def _asked_pause(headers: Mapping[str, str], otherwise: float) -> float:
    asked = headers.get("retry-after", "")
    return min(max(float(asked), otherwise), _LONGEST_PAUSE) if asked.isascii() and asked.isdigit() else otherwise


def _body(response: HTTPResponse, origin: Origin) -> bytes:
    """At most 8 MiB within two minutes, whatever length was claimed."""
    parts = bytearray()
    if (response.length or 0) <= _LARGEST_ANSWER:
        for piece in _pieces(response):
            parts += piece
            if len(parts) > _LARGEST_ANSWER:
                break
        else:
            return bytes(parts)
    raise RegistryError(f"{origin}: its answer is too large (more than {_LARGEST_ANSWER:,} bytes); it is not read")


def _pieces(response: HTTPResponse) -> Iterator[bytes]:
    """The body as it comes; time beyond two minutes has to be earned with bytes."""
    began, done = monotonic(), 0
    while piece := response.read1(_PIECE):
        done += len(piece)
        if monotonic() - began > _WHOLE_ANSWER_SECONDS + done / _SLOWEST_BYTES_PER_SECOND:
            raise TimeoutError
        yield piece
    if response.length:
        raise IncompleteRead(b"", response.length)
