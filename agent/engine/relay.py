"""Lets programs here, which know sockets only, speak to an engine that is reached over a stream of ours."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from agent.engine.private import private_folder
from agent.errors import DockwrightError, HostError

StreamOpener = Callable[[float], socket.socket]

_CHUNK = 256 * 1024
_SECONDS = 60.0


@contextmanager
def relayed(open_stream: StreamOpener, engine: str) -> Iterator[str]:
    """The URL of a socket in a private folder that leads to the engine while the block runs.

    HostError where this machine has no such sockets, or no folder for one. `engine` is for errors.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise HostError(f"{engine}: build secrets need an engine on this machine; run the agent where the engine is")
    with private_folder() as folder, closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as listener:
        path = folder / "engine.sock"
        _listen(listener, path)
        threading.Thread(target=_serve, args=(listener, open_stream), daemon=True).start()
        try:
            yield f"unix://{path}"
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts


def _listen(listener: socket.socket, path: Path) -> None:
    try:
        listener.bind(str(path))
    except OSError as error:
        raise HostError(f"{path} cannot be made ({error}); set TMPDIR to a folder with a short path") from error
    listener.listen()


def _serve(listener: socket.socket, open_stream: StreamOpener) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_connect, args=(client, open_stream), daemon=True).start()


def _connect(client: socket.socket, open_stream: StreamOpener) -> None:
    """One connection, until both sides have ended it. The program sees a lost engine as a closed connection."""
    with closing(client):
        try:
            stream = open_stream(_SECONDS)
        except (DockwrightError, OSError):
            return
        with closing(stream):
            stream.settimeout(None)
            back = threading.Thread(target=_pump, args=(stream, client), daemon=True)
            back.start()
            _pump(client, stream)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
