"""The engine on this Windows machine, behind its named pipe.

A pipe is no socket, and docker-py wants one; so each stream is one end of a socket pair, and an event loop of its
own carries between the other end and the pipe: Windows' loop is the standard library's way to read and write a pipe
at once.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from threading import Thread

from agent.engine.host_url import split_url
from agent.errors import HostError, InputError
from agent.host import ContainerHost, HostAddress
from windows.local import at_home

DEFAULT_PIPE = "//./pipe/docker_engine"

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_CHUNK = 64 * 1024


def connect(host: HostAddress) -> ContainerHost:
    """The host at `npipe:////./pipe/docker_engine`, which `npipe://` alone means too.

    HostError anywhere but on Windows: pipes of other machines are not for this, winrm:// is.
    """
    from agent.engine.api import EngineHost
    from agent.engine.client import open_client

    pipe = _pipe(host.url)
    if not at_home():
        raise HostError(f"{host.url}: named pipes are on Windows only; from here, use winrm://user@host")
    where = f"npipe://{pipe}"
    open_stream = partial(open_bridged, partial(_open_pipe, pipe.replace("/", "\\")))
    return EngineHost(open_client(open_stream, where=where), where, "127.0.0.1")


def open_bridged(open_ends: Callable[[], Awaitable[Ends]], seconds: float) -> socket.socket:
    """A socket that leads to whatever `open_ends` opens; closing it closes that. OSError if it cannot be opened."""
    near, far = socket.socketpair()
    opened: Future[None] = Future()
    Thread(target=asyncio.run, args=(_carry(open_ends, far, opened),), daemon=True, name="pipe").start()
    try:
        opened.result(seconds)
    except BaseException:
        near.close()
        raise
    near.settimeout(seconds)
    return near


def _pipe(url: str) -> str:
    parts = split_url(url)
    path = parts.path or DEFAULT_PIPE
    if parts.netloc or parts.query or not path.startswith("//./pipe/"):
        raise InputError(f"{url}: an engine of this machine is given as npipe:////./pipe/docker_engine")
    return path


async def _open_pipe(path: str) -> Ends:
    """As asyncio.open_connection, for a pipe."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.create_pipe_connection(lambda: protocol, path)  # type: ignore[attr-defined]
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def _carry(open_ends: Callable[[], Awaitable[Ends]], far: socket.socket, opened: Future[None]) -> None:
    try:
        from_engine, to_engine = await open_ends()
    except BaseException as error:
        far.close()
        opened.set_exception(error)
        return
    from_client, to_client = await asyncio.open_connection(sock=far)
    opened.set_result(None)
    ways = [asyncio.create_task(_pump(from_client, to_engine)), asyncio.create_task(_pump(from_engine, to_client))]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()
    await asyncio.gather(*ways, return_exceptions=True)
    for writer in (to_engine, to_client):
        with suppress(OSError):
            writer.close()
            await writer.wait_closed()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(_CHUNK):
            target.write(data)
            await target.drain()
