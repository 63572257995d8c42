"""Open connections: to the address that was looked at, through the environment's proxy if there is one."""

from __future__ import annotations

import socket
import ssl
import weakref
from base64 import b64encode
from functools import cached_property
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import unquote, urlsplit

from agent.errors import PackageError
from agent.packages.web.access import Access
from agent.packages.web.destinations import look_up, require_allowed_name
from agent.registry.transport import Origin

CONNECT_SECONDS = 15.0
SILENCE_SECONDS = 30.0
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
        if proxy := proxy_for(origin):
            require_allowed_name(origin, allow_local=self._access.allow_local)
            return self._through(proxy, origin)
        connection = self._connection(origin, origin.host, origin.port)
        connection.sock = self._connected(origin)
        return connection

    def _connection(self, origin: Origin, host: str, port: int) -> HTTPConnection:
        if origin.scheme == "https":
            return HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=self._tls)
        return HTTPConnection(host, port, timeout=CONNECT_SECONDS)

    def _connected(self, origin: Origin) -> socket.socket:
        plain = _first(origin, allow_local=self._access.allow_local)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wrapped = self._tls.wrap_socket(plain, server_hostname=origin.host) if origin.scheme == "https" else plain
            wrapped.settimeout(SILENCE_SECONDS)
        except BaseException:
            plain.close()
            raise
        return wrapped

    def _through(self, proxy: str, origin: Origin) -> HTTPConnection:
        parts = urlsplit(proxy)
        if parts.scheme != "http" or not parts.hostname:
            raise PackageError(
                "the proxy in the environment is not http://HOST:PORT; mend http_proxy and https_proxy"
            )
        connection = self._connection(origin, parts.hostname, parts.port or 80)
        if origin.scheme == "https":
            connection.set_tunnel(origin.host, origin.port, proxy_headers(proxy))
        try:
            connection.connect()
            connection.sock.settimeout(SILENCE_SECONDS)
        except BaseException:
            connection.close()
            raise
        return connection

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._access.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def proxy_for(origin: Origin) -> str:
    """The proxy that the environment names for this place (`https_proxy`, `no_proxy`, …), or nothing."""
    from urllib import request

    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    if request.proxy_bypass_environment(f"{host}:{origin.port}"):  # type: ignore[attr-defined]  # its stub forgets it
        return ""
    proxies = request.getproxies_environment()
    named = proxies.get(origin.scheme) or proxies.get("all", "")
    return f"http://{named}" if named and "://" not in named else named


def proxy_headers(proxy: str) -> dict[str, str]:
    """Who we are to the proxy, if its address says so."""
    parts = urlsplit(proxy)
    if not parts.username:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {b64encode(pair).decode('ascii')}"}


def _first(origin: Origin, *, allow_local: bool) -> socket.socket:
    """Connected to the first of the host's addresses that answers."""
    failure: OSError | None = None
    for destination in look_up(origin, allow_local=allow_local):
        attempt = socket.socket(destination.family, socket.SOCK_STREAM)
        attempt.settimeout(CONNECT_SECONDS)
        try:
            attempt.connect(destination.address)
        except OSError as error:
            attempt.close()
            failure = error
        else:
            return attempt
    assert failure is not None
    raise failure


def _close(idle: list[tuple[Origin, HTTPConnection]]) -> None:
    while idle:
        idle.pop()[1].close()
