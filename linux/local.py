"""The engine on this machine, behind its Unix socket."""

from __future__ import annotations

import os
import socket
import sys
from functools import partial
from pathlib import Path

from agent.engine.host_url import read_options, split_url
from agent.errors import HostError, InputError
from agent.host import ContainerHost, HostAddress

DEFAULT_SOCKET = "/var/run/docker.sock"


def connect(host: HostAddress) -> ContainerHost:
    """The host at `unix:///path/to/docker.sock`.

    `unix://` alone means $DOCKER_HOST if that names a socket, else the usual place, else the rootless
    engine's. `?address=10.0.0.5` says where published ports answer, should that not be 127.0.0.1: for an
    agent that runs in a container, say.
    """
    from agent.engine.api import EngineHost
    from agent.engine.client import open_client

    url = host.url
    parts = split_url(url)
    if parts.scheme != "unix" or parts.netloc or parts.fragment:
        raise InputError(f"{url}: a local engine is given as unix:///path/to/docker.sock")
    if not at_home():
        raise HostError(f"{url}: sockets of engines are not on Windows; the engine here is npipe://")
    path = parts.path or usual_socket()
    address = read_options(url, parts.query, ("address",)).get("address", "127.0.0.1")
    where = f"unix://{path}"
    return EngineHost(open_client(partial(open_socket, path), where=where), where, address)


def at_home() -> bool:
    """Whether the engine on this machine is one behind a socket."""
    return sys.platform != "win32"


def open_socket(path: str, seconds: float) -> socket.socket:
    """A connected stream to the socket at `path`."""
    stream = socket.socket(getattr(socket, "AF_UNIX"), socket.SOCK_STREAM)  # noqa: B009  Windows has none
    try:
        stream.settimeout(seconds)
        stream.connect(path)
    except BaseException:
        stream.close()
        raise
    return stream


def usual_socket(default: str = DEFAULT_SOCKET) -> str:
    """Where the engine listens that a user of this machine means without saying so."""
    named = os.environ.get("DOCKER_HOST", "")
    if named.startswith("unix://"):
        return named.removeprefix("unix://")
    if named:
        raise HostError(f"DOCKER_HOST is {named}, which is no local socket; say what you mean with --host")
    rootless = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / "docker.sock"
    return str(rootless) if rootless.exists() and not Path(default).exists() else default
