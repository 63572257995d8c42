"""The ways to replace a container, opened for the benchmarks; their proxies are installed where that is possible."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from agent.containers import Recreate
from linux.sandbox.install import can_install, install, program
from tests.system.place import Place, Way
from tests.system.proxies import haproxy, nginx
from tests.system.shop import free_port

WAYS = ("haproxy", "nginx", "hold", "recreate")


def open_way(name: str, folder: Path, stack: ExitStack, place: Place) -> Way:
    """One of `WAYS`; its proxy runs in `folder` as long as the stack is open."""
    if name == "hold":
        return place.held()
    if name == "recreate":
        port = free_port()
        return Way(Recreate(), [f"127.0.0.1:{port}:80"], port)
    proxy = haproxy(folder, _tool) if name == "haproxy" else nginx(folder, _tool)
    return stack.enter_context(proxy).way


def remove_all(place: Place) -> None:
    """Remove every container of the place."""
    for container in place.containers():
        place.host.remove(container.id)


def _tool(name: str) -> str:
    if program(name) is None and can_install():
        install([name], say=lambda _line: None)
    return program(name) or name
