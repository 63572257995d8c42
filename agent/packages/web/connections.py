"""A feed's open connections, kept for its next requests."""

from __future__ import annotations

import ssl
import weakref
from functools import cached_property
from http.client import HTTPConnection, HTTPSConnection

from agent.errors import PackageError, RegistryError
from agent.packages.web.access import Access
from agent.registry.connections import CONNECT_SECONDS, open_connection
from agent.registry.origin import Origin

MOST_IDLE = 8


class Connections:
    """Connections of one feed, kept for the next request. May be used by many threads."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._idle: list[tuple[Origin, HTTPConnection]] = []
        weakref.finalize(self, _close, self._idle)

    def idle(self, origin: Origin) -> HTTPConnection | None:
        """One that was used before; the other side may have closed it."""
        for kept in list(self._idle):
            if kept[0] == origin:
                try:
                    self._idle.remove(kept)
                except ValueError:  # another thread took it
                    continue
                return kept[1]
        return None

    def keep(self, origin: Origin, connection: HTTPConnection) -> None:
        if len(self._idle) < MOST_IDLE:
            self._idle.append((origin, connection))
        else:
            connection.close()

    def open(self, origin: Origin) -> HTTPConnection:
        """A new one. OSError if that fails, PackageError for a place that is not asked."""
        try:
            return open_connection(
                origin,
                lambda host, port: self._connection(origin, host, port),
                lambda: self._tls,
                allow_local=self._access.allow_local,
            )
        except RegistryError as error:
            raise PackageError(str(error)) from error

    def _connection(self, origin: Origin, host: str, port: int) -> HTTPConnection:
        if origin.scheme == "https":
            return HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=self._tls)
        return HTTPConnection(host, port, timeout=CONNECT_SECONDS)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._access.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _close(idle: list[tuple[Origin, HTTPConnection]]) -> None:
    while idle:
        idle.pop()[1].close()
