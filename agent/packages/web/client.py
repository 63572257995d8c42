"""A feed's HTTP client: requests, redirects and retries. Nothing is sent anywhere that `Access` does not allow."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import TypeVar

from agent.errors import PackageError
from agent.host import ByteProgress
from agent.packages.patience import Patience
from agent.packages.web.access import Access, Address, parse_address, require_redirect
from agent.packages.web.connections import Connections
from agent.packages.web.download import Downloaded, Expected, Partial
from agent.packages.web.failures import Passing, from_exception, from_status
from agent.registry.connections import request_target

T = TypeVar("T")

LARGEST_DOCUMENT = 32 << 20
HEAD_SECONDS = 60.0
DOCUMENT_SECONDS = 120.0
DOWNLOAD_SECONDS = 24 * 3600.0
EASY_BYTES_PER_SECOND = 1_000_000
MOST_REDIRECTS = 8
MOST_ATTEMPTS = 60
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PIECE = 1 << 18


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A small answer: `headers` by lower-case name, `address` where it came from in the end."""

    headers: Mapping[str, str]
    address: Address
    body: bytes = field(default=b"", repr=False)


class WebClient:
    """Asks what the feed `name` leads to. May be used by many threads. Every failure is a PackageError."""

    def __init__(self, name: str, access: Access, patience: Patience) -> None:
        self._name = name
        self._access = access
        self._patience = patience
        self._connections = Connections(access)

    def read(self, address: Address, *, accept: str = "*/*", largest: int = LARGEST_DOCUMENT) -> Answer | None:
        """A document, or None where there is none (404)."""
        headers = {"Accept": accept, "Accept-Encoding": "gzip"}
        return self._retried(address, lambda: self._read(address, headers, largest))

    def head(self, address: Address) -> Answer | None:
        """What would be there, or None. A server that does not know HEAD is taken to have it."""
        return self._retried(address, lambda: self._head(address))

    def download(
        self,
        address: Address,
        into: Path,
        progress: ByteProgress,
        expected: Expected | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Downloaded:
        """Write the new file `into`, resuming where a connection broke. PackageError if it is not as expected."""
        with Partial(into, expected or Expected(), progress) as partial:
            more = headers or {}
            return self._retried(address, lambda: self._download(address, partial, more), partial)

    def _retried(self, address: Address, attempt: Callable[[], T], partial: Partial | None = None) -> T:
        try:
            return self._persistently(address, attempt, partial)
        except PackageError as error:
            raise PackageError(f"feed '{self._name}': {error}") from error

    def _persistently(self, address: Address, attempt: Callable[[], T], partial: Partial | None) -> T:
        started, tried, fruitless = time.monotonic(), list[str](), 0
        while True:
            before = partial.done if partial else 0
            try:
                return attempt()
            except Passing as passing:
                tried.append(passing.reason)
                fruitless = 0 if partial and partial.done > before else fruitless + 1
                wait = max(passing.wait, self._wait(fruitless))
                elapsed = time.monotonic() - started
                late = elapsed + wait > self._allowed(partial)
                if fruitless >= self._patience.attempts or len(tried) >= MOST_ATTEMPTS or late:
                    raise PackageError(_account(address, tried, elapsed, passing.wait if late else 0)) from passing
            self._patience.pause(wait)

    def _allowed(self, partial: Partial | None) -> float:
        return self._patience.seconds + (partial.total / EASY_BYTES_PER_SECOND if partial else 0.0)

    def _wait(self, fruitless: int) -> float:
        return float(min(self._patience.longest, self._patience.first * 2 ** max(0, fruitless - 1)))

    def _read(self, address: Address, headers: Mapping[str, str], largest: int) -> Answer | None:
        with self._opened("GET", address, headers, DOCUMENT_SECONDS) as (response, found):
            if response.status in {404, 410}:
                return None
            self._require(response, found, {200})
            body = _unpacked(response, found, largest)
            return Answer(headers=_headers(response), address=found, body=body)

    def _head(self, address: Address) -> Answer | None:
        with self._opened("HEAD", address, {}, HEAD_SECONDS) as (response, found):
            if response.status in {404, 410}:
                return None
            if response.status in {405, 501}:
                return Answer(headers={}, address=found)
            self._require(response, found, {200, 203, 204})
            return Answer(headers=_headers(response), address=found)

    def _download(self, address: Address, partial: Partial, more: Mapping[str, str]) -> Downloaded:
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", **more, **partial.range_headers()}
        with self._opened("GET", address, headers, DOWNLOAD_SECONDS) as (response, found):
            if response.status == 416:
                partial.restart()
                raise Passing("the rest was refused")
            if response.status in {404, 410}:
                raise PackageError(f"{found} is not there ({response.status}), though the feed lists it")
            self._require(response, found, {200, 206})
            partial.begin(response.status, _headers(response), str(found))
            while piece := response.read1(_PIECE):
                partial.write(piece, str(found))
                if time.monotonic() - partial.began > self._allowed(partial):
                    raise Passing("it took too long")
            partial.require_whole(chunked=response.chunked)
            return partial.finish(str(found))

    def _require(self, response: HTTPResponse, address: Address, good: set[int]) -> None:
        if response.status not in good:
            raise from_status(response.status, _headers(response), address, self._access)

    @contextmanager
    def _opened(
        self, method: str, address: Address, headers: Mapping[str, str], seconds: float
    ) -> Iterator[tuple[HTTPResponse, Address]]:
        """The answer at the end of all redirects, to be read within `seconds`."""
        here, trusted = address, True
        for _ in range(MOST_REDIRECTS):
            secret = self._access.headers_for(here.origin) if trusted else {}
            with self._exchange(method, here, {**headers, **secret}, seconds) as response:
                if response.status not in _REDIRECTS:
                    yield response, here
                    return
                there = _target(response, here)
            require_redirect(here, there, self._access)
            # Whoever has sent us away may not send us back with our credentials to a place of his choice.
            trusted = trusted and there.origin == self._access.origin
            here = there
        raise PackageError(f"{address} redirects again and again; it is not followed further")

    @contextmanager
    def _exchange(
        self, method: str, address: Address, headers: Mapping[str, str], seconds: float
    ) -> Iterator[HTTPResponse]:
        """One request. The connection is kept if the answer was read to its end."""
        try:
            connection, response = self._asked(method, address, headers)
            with _within(connection, seconds):
                try:
                    yield response
                finally:
                    # What is left is little (a refusal's page) or unwanted: then the connection goes with it.
                    reusable = response.isclosed() and not response.will_close
                    response.close()
                    self._release(address, connection, reusable=reusable)
        except (OSError, HTTPException, ValueError) as error:
            raise from_exception(error, address) from error

    def _asked(
        self, method: str, address: Address, headers: Mapping[str, str]
    ) -> tuple[HTTPConnection, HTTPResponse]:
        if kept := self._connections.idle(address.origin):
            try:
                return kept, _ask(kept, method, address, headers)
            except (OSError, HTTPException):
                kept.close()  # the other side may close an idle connection at any time
        connection = self._connections.open(address.origin)
        try:
            return connection, _ask(connection, method, address, headers)
        except BaseException:
            connection.close()
            raise

    def _release(self, address: Address, connection: HTTPConnection, *, reusable: bool) -> None:
        if reusable and connection.sock is not None:
            self._connections.keep(address.origin, connection)
        else:
            connection.close()


def _ask(connection: HTTPConnection, method: str, address: Address, headers: Mapping[str, str]) -> HTTPResponse:
    target, for_proxy = request_target(address.origin, address.path)
    with _within(connection, HEAD_SECONDS):
        connection.request(method, target, None, {"User-Agent": "dockwright", **headers, **for_proxy})
        return connection.getresponse()


@contextmanager
def _within(connection: HTTPConnection, seconds: float) -> Iterator[None]:
    """Cut the connection when time is up: bytes that drip in one by one never break a socket's own timeout."""
    socket = connection.sock
    timer = threading.Timer(seconds, lambda: _cut(socket))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(socket: object) -> None:
    import socket as sockets

    if isinstance(socket, sockets.socket):
        try:
            socket.shutdown(sockets.SHUT_RDWR)
        except OSError:
            return


def _target(response: HTTPResponse, here: Address) -> Address:
    location = response.getheader("location", "")
    try:
        return parse_address(location.partition("#")[0], here)
    except PackageError as error:
        raise PackageError(f"{here} redirects to what is no proper place: {error}") from error


def _headers(response: HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _unpacked(response: HTTPResponse, address: Address, largest: int) -> bytes:
    """The body, ungzipped where it is; its size is bounded as it grows."""
    gzipped = response.getheader("content-encoding", "").strip().lower() in {"gzip", "x-gzip"}
    unzip = zlib.decompressobj(wbits=31) if gzipped else None
    body = bytearray()
    try:
        while piece := response.read1(_PIECE):
            body += unzip.decompress(piece, largest + 1 - len(body)) if unzip else piece
            if len(body) > largest or (unzip and unzip.unconsumed_tail):
                raise PackageError(f"{address} answers with more than {largest:,} bytes; it is not read")
    except zlib.error as error:
        raise Passing("a damaged answer") from error
    if response.length or (unzip and not unzip.eof):
        raise Passing("the answer was cut short")
    return bytes(body)


def _account(address: Address, tried: list[str], seconds: float, asked: float) -> str:
    """Everything that was tried, on one line; the same in a row is told once."""
    told: list[str] = []
    for reason in tried:
        if not told or not told[-1].startswith(reason):
            told.append(reason)
        elif told[-1] == reason:
            told[-1] = f"{reason} (repeatedly)"
    times = "1 attempt" if len(tried) == 1 else f"{len(tried)} attempts"
    wait = f"; it asks to wait {asked:,.0f} s" if asked else ""
    return f"{address} could not be had in {times}, {seconds:.0f} s: {', '.join(told[-6:])}{wait}; try again later"
