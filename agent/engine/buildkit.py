"""Builds that need BuildKit, through the docker command line: secrets reach single RUN instructions, no layer.

A secret travels in the environment of the program, which only its owner can read, and which ends with it: not as
an argument, and not in a file. From there BuildKit mounts it into the instructions that name it. (A Dockerfile
that copies it from its mount into a layer cannot be told from one that uses it.)
"""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from queue import Empty, Full, Queue
from time import monotonic
from typing import IO

from agent.engine.build_context import stream_context
from agent.engine.build_output import Source
from agent.engine.buildkit_output import Progress
from agent.engine.docker_program import Surroundings, find_docker, private_surroundings
from agent.engine.relay import StreamOpener, relayed
from agent.engine.time_limit import SILENCE, time_is_up
from agent.errors import BuildError, DockwrightError, HostError
from agent.host import BuildRequest, LineSink

_LONGEST_LINE = 16 * 1024
_ENDING_SECONDS = 2
_FRONTEND = re.compile(r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?:[:@][\w.:-]+)*\Z")
_LOCAL = ("unix://", "npipe://")


def can_build_here(engine: str) -> bool:
    """Whether the engine with this URL is on this machine, and a docker program with BuildKit too."""
    if not engine.startswith(_LOCAL):
        return False
    with private_surroundings(engine, {}) as surroundings, suppress(HostError):
        return bool(find_docker(surroundings.environment))
    return False


def build_with_buildkit(
    request: BuildRequest, source: Source, engine: str, open_stream: StreamOpener, output: LineSink
) -> str:
    """Build at the engine with the URL `engine` and return the image's id; tags and labels are left out.

    An engine elsewhere is reached by the program through streams of ours. HostError if no docker program has
    BuildKit; BuildError names instruction and line, or says that the time was up.
    """
    _refuse_frontend(request, source)
    reachable = nullcontext(engine) if engine.startswith(_LOCAL) else relayed(open_stream, engine)
    with reachable as url, private_surroundings(url, request.credentials) as surroundings:
        program = find_docker(surroundings.environment)
        told = surroundings.folder / "image"
        command = [program, *build_arguments(request), f"--iidfile={told}", "-"]
        progress = Progress(source)
        with _started(command, surroundings, request) as running:
            for line in running.lines(request):
                progress.feed(line)
                output(line)
        if running.context_failure:
            raise running.context_failure
        if running.status:
            raise progress.failure(engine)
        return told.read_text(encoding="ascii").strip()


def _refuse_frontend(request: BuildRequest, source: Source) -> None:
    """Whoever reads the Dockerfile runs with the secrets at hand: Docker's own readers only."""
    asked = (source.frontend, *(value for name, value in request.arguments.items() if name == "BUILDKIT_SYNTAX"))
    for frontend in asked:
        if frontend and not _FRONTEND.match(frontend):
            raise BuildError(
                f"{request.dockerfile}: 'syntax={frontend[:100]}' lets a foreign program read the secrets of the "
                "build; leave it out, or name docker/dockerfile"
            )


def build_arguments(request: BuildRequest) -> list[str]:
    """The arguments for the docker command line: names in them were checked, values cannot be taken for options.

    Secrets are named with the environment variables that hold them (see `secret_environment`).
    """
    optional = {
        "target": request.target,
        "platform": request.platform,
        "isolation": request.isolation,
    }
    return [
        "build",
        "--progress=plain",
        f"--file={request.dockerfile}",
        *(f"--{name}={value}" for name, value in optional.items() if value),
        *(["--pull"] if request.pull else []),
        *(f"--cache-from={reference}" for reference in request.cache_from),
        *(f"--build-arg={name}={value}" for name, value in request.arguments.items()),
        *(f"--secret=id={name},env={_variable(at)}" for at, name in enumerate(request.secrets)),
    ]


def secret_environment(request: BuildRequest) -> dict[str, str]:
    return {_variable(at): value for at, value in enumerate(request.secrets.values())}


def _variable(number: int) -> str:
    return f"DOCKWRIGHT_SECRET_{number}"


@dataclass
class _Running:
    """A build that runs: its lines come through a queue, so that waiting for one has a limit."""

    process: subprocess.Popen[bytes]
    queue: Queue[str | None] = field(default_factory=lambda: Queue(1000))
    stopped: threading.Event = field(default_factory=threading.Event)
    context_failure: DockwrightError | None = None
    status: int = 0

    def lines(self, request: BuildRequest) -> Iterator[str]:
        """Until the program ends. BuildError when its time is up, or nothing was heard for too long."""
        deadline = monotonic() + request.timeout if request.timeout else float("inf")
        while True:
            try:
                line = self.queue.get(timeout=max(0, min(deadline - monotonic(), SILENCE)))
            except Empty:
                raise _late(request, timed=monotonic() >= deadline) from None
            if monotonic() >= deadline:
                raise time_is_up(request)
            if line is None:
                self.status = self.process.wait()
                return
            yield line

    def read(self, stream: IO[bytes]) -> None:
        with stream:
            for piece in iter(lambda: stream.readline(_LONGEST_LINE), b""):
                text = piece.decode("utf-8", "replace").rstrip("\r\n").rpartition("\r")[2]
                if not self._put(text):
                    return
        self._put(None)

    def write(self, stream: IO[bytes], chunks: Iterable[bytes]) -> None:
        """The context. That the program ends early is its own matter to tell."""
        with suppress(BrokenPipeError, OSError), stream:
            try:
                for chunk in chunks:
                    stream.write(chunk)
            except DockwrightError as error:
                self.context_failure = error
                self.process.terminate()

    def _put(self, line: str | None) -> bool:
        while not self.stopped.is_set():
            try:
                self.queue.put(line, timeout=1)
            except Full:
                continue
            return True
        return False


@contextmanager
def _started(command: list[str], surroundings: Surroundings, request: BuildRequest) -> Iterator[_Running]:
    """The program, which does not outlive the block: left early, it is told to end, and the engine gives up."""
    try:
        process = subprocess.Popen(
            command,
            env={**surroundings.environment, **secret_environment(request)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=surroundings.folder,
            start_new_session=True,
        )
    except OSError as error:
        raise HostError(f"{command[0]} cannot be started ({error.strerror}); see whether docker works") from error
    assert process.stdin is not None
    assert process.stdout is not None
    running = _Running(process)
    context = stream_context(request.context, request.dockerfile)
    threads = [
        threading.Thread(target=running.read, args=(process.stdout,), daemon=True),
        threading.Thread(target=running.write, args=(process.stdin, context), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.stopped.set()
        _end(process)
        for thread in threads:
            thread.join(_ENDING_SECONDS)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _late(request: BuildRequest, *, timed: bool) -> BuildError:
    return (
        time_is_up(request)
        if timed
        else BuildError(
            f"{request.dockerfile}: the build said nothing for an hour; see what its last instruction waits for"
        )
    )
