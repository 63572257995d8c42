"""New connections: to the very address that was looked at, through the environment's proxy if there is one."""

from __future__ import annotations

import socket
import ssl
from base64 import b64encode
from collections.abc import Callable
from http.client import HTTPConnection
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit

from agent.errors import RegistryError
from agent.registry.destinations import look_up, names_this_machine, require_allowed_name

if TYPE_CHECKING:
    from agent.registry.origin import Origin

CONNECT_SECONDS = 15.0
SILENCE_SECONDS = 30.0

C = TypeVar("C", bound=HTTPConnection)


def open_connection(
    origin: Origin,
    make: Callable[[str, int], C],
    tls: Callable[[], ssl.SSLContext],
    *,
    allow_local: bool,
) -> C:
    """A connection to `origin`. `make` gives one, not open yet, to a host and port; `tls` what https takes.

    OSError if that fails, RegistryError for a place that is not asked.
    """
    require_allowed_name(origin, allow_local=allow_local)
    if proxy := proxy_for(origin):
        return _through(proxy, origin, make)
    connection = make(origin.host, origin.port)
    connection.sock = _connected(origin, tls, allow_local=allow_local)
    return connection


def proxy_for(origin: Origin) -> str:
    """The proxy that the environment names for this place (`https_proxy`, `no_proxy`, …), or nothing.

    As Docker: never for this machine itself.
    """
    from urllib import request

    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    if names_this_machine(origin.host) or request.proxy_bypass_environment(f"{host}:{origin.port}"):  # type: ignore[attr-defined]  # its stub forgets it
        return ""
    proxies = request.getproxies_environment()
    named = proxies.get(origin.scheme) or proxies.get("all", "")
    return f"http://{named}" if named and "://" not in named else named


def request_target(origin: Origin, path: str) -> tuple[str, dict[str, str]]:
    """What to ask for on such a connection, and the headers that go with it: a proxy is told the whole address."""
    proxy = proxy_for(origin) if origin.scheme == "http" else ""
    return (f"{origin}{path}", _proxy_headers(proxy)) if proxy else (path, {})


def _through(proxy: str, origin: Origin, make: Callable[[str, int], C]) -> C:
    try:
        parts = urlsplit(proxy)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        parts, host, port = urlsplit(""), "", 0
    if parts.scheme != "http" or not host:
        raise RegistryError("the proxy in the environment is not http://HOST:PORT; mend http_proxy and https_proxy")
    connection = make(host, port)
    if origin.scheme == "https":
        connection.set_tunnel(origin.host, origin.port, _proxy_headers(proxy))
    try:
        connection.connect()
        connection.sock.settimeout(SILENCE_SECONDS)
    except BaseException as error:
        connection.close()
        if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
            raise OSError(f"the proxy {host}:{port} does not help: {error.strerror or error}") from error
        raise
    return connection


def _connected(origin: Origin, tls: Callable[[], ssl.SSLContext], *, allow_local: bool) -> socket.socket:
    plain = _first(origin, allow_local=allow_local)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wrapped = tls().wrap_socket(plain, server_hostname=origin.host) if origin.scheme == "https" else plain
        wrapped.settimeout(SILENCE_SECONDS)
    except BaseException:
        plain.close()
        raise
    return wrapped


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


def _proxy_headers(proxy: str) -> dict[str, str]:
    """Who we are to the proxy, if its address says so."""
    parts = urlsplit(proxy)
    if not parts.username:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {b64encode(pair).decode('ascii')}"}
