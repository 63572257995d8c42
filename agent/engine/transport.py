"""Lets requests, and with it docker-py, speak HTTP over any stream: a local socket, or one through SSH.

Imported only together with requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from socket import socket
from typing import Any, Self

import urllib3
from requests import ConnectionError, PreparedRequest, Response  # noqa: A004  its own
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ProtocolError
from urllib3.util.retry import RequestHistory, Retry

_HARMLESS = re.compile(r"/containers/[^/?]+/(start|stop)(\?|$)|/images/[^?]+/tag(\?|$)")
"""Orders that an engine has nothing left to do for, if it is given them again."""


class StreamAdapter(HTTPAdapter):
    """Sends every request over a stream from `open_stream`, whatever host its URL names."""

    def __init__(self, open_stream: Callable[[float], socket]) -> None:
        self.open_stream = open_stream
        self._pool = _StreamPool(open_stream)
        super().__init__(max_retries=_OnceMore(0, read=False))

    def send(self, request: PreparedRequest, stream: bool = False, *arguments: Any, **more: Any) -> Response:
        """A question whose answer broke off is asked once more, as one that was not answered is."""
        response = super().send(request, stream, *arguments, **more)
        if request.method == "GET" and not stream:
            try:
                _ = response.content
            except (ChunkedEncodingError, ConnectionError):
                return super().send(request, stream, *arguments, **more)
        return response

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,  # noqa: ARG002
        verify: bool | str | None,  # noqa: ARG002
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002
        cert: Any = None,  # noqa: ARG002
    ) -> urllib3.HTTPConnectionPool:
        return self._pool

    def request_url(self, request: PreparedRequest, proxies: Mapping[str, str] | None) -> str:  # noqa: ARG002
        return request.path_url

    def close(self) -> None:
        self._pool.close()
        super().close()


class _OnceMore(Retry):
    """A question whose answer was lost with its stream is asked once more; so is an order that does no harm twice."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> Self:
        harmless = method in ("GET", "DELETE") or _HARMLESS.search(url or "") is not None
        if isinstance(error, ProtocolError) and harmless and not self.history:
            return self.new(history=(RequestHistory(method, url, error, None, None),))
        return super().increment(method, url, response, error, _pool, _stacktrace)


class _StreamPool(urllib3.HTTPConnectionPool):
    def __init__(self, open_stream: Callable[[float], socket]) -> None:
        super().__init__("localhost", maxsize=4)
        self._open_stream = open_stream

    def _new_conn(self) -> _StreamConnection:
        return _StreamConnection(self._open_stream)


class _StreamConnection(HTTPConnection):
    def __init__(self, open_stream: Callable[[float], socket]) -> None:
        super().__init__("localhost")
        self._open_stream = open_stream

    def connect(self) -> None:
        seconds = self.timeout if isinstance(self.timeout, int | float) else 60.0
        self.sock = self._open_stream(seconds)
        self.sock.settimeout(seconds)
