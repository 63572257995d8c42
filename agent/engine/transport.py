"""Lets requests, and with it docker-py, speak HTTP over any stream: a local socket, or one through SSH.

Imported only together with requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from socket import socket
from typing import Any

import urllib3
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection


class StreamAdapter(HTTPAdapter):
    """Sends every request over a stream from `open_stream`, whatever host its URL names."""

    def __init__(self, open_stream: Callable[[float], socket]) -> None:
        self.open_stream = open_stream
        self._pool = _StreamPool(open_stream)
        super().__init__()

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
