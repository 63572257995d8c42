"""Opens docker-py's low-level client over a stream. Its import is paid for here, and kept small."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from socket import socket
from typing import TYPE_CHECKING

import msgspec

from agent.engine.failures import translated
from agent.errors import HostError

if TYPE_CHECKING:
    from docker import APIClient

StreamOpener = Callable[[float], socket]
"""Opens one more connected stream to the engine, with that many seconds as its timeout."""

CALL_SECONDS = 60
"""How long an ordinary call may stay unanswered."""


def open_client(open_stream: StreamOpener, *, where: str, seconds: int = CALL_SECONDS) -> APIClient:
    """A client that speaks over whatever `open_stream` opens, in the API version that the engine offers.

    `where` names the host in errors. HostError if there is no engine. Close it, as any requests session.
    """
    load_docker()
    with translated(where, "reach the engine", HostError):
        from docker import APIClient

        client = APIClient(_ANY_URL, version=_offered_version(open_stream, seconds), timeout=seconds)
        client.trust_env = False
        _mount(client, open_stream)
        return client


def stream_opener(client: APIClient) -> StreamOpener:
    """What the client was opened with, for others that want to speak to its engine."""
    from agent.engine.transport import StreamAdapter

    adapter = client.get_adapter(_ANY_URL)
    assert isinstance(adapter, StreamAdapter)
    return adapter.open_stream


def load_docker() -> None:
    """Import docker-py without its own SSH transport.

    That module imports paramiko wherever paramiko happens to be installed: a third of the time and half of
    the memory of the whole import. docker-py takes an ImportError there for "no ssh:// URLs", which are not
    used here: a remote engine is reached through a stream of ours.
    """
    if "docker" in sys.modules:
        return
    ssh = "docker.transport.sshconn"
    sys.modules[ssh] = None  # type: ignore[assignment]  # the import system's own way to say: not to be had
    try:
        import docker  # noqa: F401
    finally:
        del sys.modules[ssh]


_ANY_URL = "http://localhost:2375"  # docker-py wants one; the mounted adapter never resolves it


class _Offer(msgspec.Struct):
    version: str = msgspec.field(default="1.41", name="ApiVersion")


def _offered_version(open_stream: StreamOpener, seconds: float) -> str:
    import requests

    with closing(requests.Session()) as session:
        session.trust_env = False
        _mount(session, open_stream)
        response = session.get(f"{_ANY_URL}/version", timeout=seconds)
        response.raise_for_status()
        return msgspec.json.decode(response.content, type=_Offer).version


def _mount(session: requests.Session, open_stream: StreamOpener) -> None:
    from agent.engine.transport import StreamAdapter

    for adapter in session.adapters.values():
        adapter.close()
    session.adapters.clear()
    session.mount("http://", StreamAdapter(open_stream))


if TYPE_CHECKING:
    import requests
