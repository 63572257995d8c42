"""A container's output as it comes, by `docker logs --follow`, until the container has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import sleep

from agent.engine.command_line.program import DockerProgram
from agent.engine.container_logs import each_line
from agent.errors import ContainerError
from agent.host import ContainerInfo, LineSink

_ACTIVE = ("running", "restarting", "paused")
_LOOK_SECONDS = 0.2

Inspect = Callable[[], ContainerInfo]


def follow(docker: DockerProgram, inspect: Inspect, output: LineSink, tail: int) -> None:
    """Each line once; of those that are there already the last `tail`, -1 for all. `inspect` raises for none."""
    found = inspect()
    wanted = f"--tail={tail if tail >= 0 else 'all'}"
    while True:
        active = found.state in _ACTIVE
        log = _Log(docker, found.id)
        for line in each_line(log.pieces([*(["--follow"] if active else []), wanted])):
            output(line)
        if not active:
            return
        found = _settled(inspect)
        if found.state not in _ACTIVE:
            for line in log.forgotten():
                output(line)
            return
        wanted = f"--since={found.started}"


class _Log:
    """Remembers how each stream ended, for an engine forgets to send a last line without newline to a follower."""

    def __init__(self, docker: DockerProgram, container: str) -> None:
        self._docker = docker
        self._container = container
        self._last = {1: b"\n", 2: b"\n"}

    def pieces(self, options: list[str]) -> Iterator[tuple[int, bytes]]:
        streamed = self._docker.stream(["logs", *options, self._container])
        for stream, piece in streamed.pieces:
            self._last[stream] = piece[-1:]
            yield stream, piece
        self._docker.require(streamed.ended, f"follow {self._container}", ContainerError)

    def forgotten(self) -> list[str]:
        ended = self._docker.run(["logs", "--tail=1", self._container])
        for stream, data in ((1, ended.output), (2, ended.errors)):
            if data and not data.endswith(b"\n") and self._last[stream] == b"\n":
                return list(each_line([(stream, data)]))
        return []


def _settled(inspect: Inspect) -> ContainerInfo:
    """It may be about to be started again; what it prints then comes after that."""
    while (found := inspect()).state == "restarting":
        sleep(_LOOK_SECONDS)
    return found
