"""The docker program on another machine: run to its end, or read while it prints; what it says becomes our errors."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Full, Queue

from agent.engine.failures import one_line, refused
from agent.engine.shell import Command, Shell
from agent.errors import DockwrightError, HostError

CALL_SECONDS = 120.0
NO_SUCH_PROGRAM = 127
_ENGINE = re.compile(r"(?:unix|npipe|tcp|ssh)://\S{1,500}")
_ERRORS_KEPT = 256 * 1024


@dataclass(kw_only=True)
class Ended:
    """How a program ended, and what it said."""

    status: int
    output: bytes = b""
    errors: bytes = b""

    @property
    def said(self) -> str:
        """What it said went wrong, without the words that come before every refusal."""
        text = self.errors.decode("utf-8", "replace").strip()
        return one_line(text.removeprefix("Error response from daemon: "))


@dataclass(kw_only=True)
class Streamed:
    """A program that is being read; `ended` is whole once its pieces are all there."""

    pieces: Iterator[tuple[int, bytes]]
    ended: Ended = field(default_factory=lambda: Ended(status=0))


class _LeftError(Exception):
    """Nobody reads any more: the program is to end."""


@dataclass(kw_only=True)
class _Queue:
    """Pieces on their way from the thread that runs a program to whoever reads it; last its status or failure."""

    items: Queue[tuple[int, bytes] | BaseException | int] = field(default_factory=lambda: Queue(64))
    left: threading.Event = field(default_factory=threading.Event)

    def put(self, item: tuple[int, bytes] | BaseException | int) -> None:
        """Wait for room. _LeftError if nobody reads any more."""
        while not self.left.is_set():
            try:
                self.items.put(item, timeout=0.5)
            except Full:
                continue
            return
        raise _LeftError


class DockerProgram:
    """Runs `docker` over a shell. `configuration` is a folder of logins there, where one is needed.

    Such a folder takes the place of the user's own, which may name an engine (`docker context use`): that is told
    beside it, lest one command speak to another engine than the next.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._engine: str | None = None

    @property
    def where(self) -> str:
        return self._shell.url

    def run(
        self,
        arguments: Sequence[str],
        *,
        configuration: str = "",
        environment: Mapping[str, str] | None = None,
        given: Iterable[bytes] | None = None,
        timeout: float = CALL_SECONDS,
    ) -> Ended:
        """Run to the end, whatever that is. HostError if the machine or its engine cannot be reached."""
        command = self._command(arguments, configuration, environment, given, timeout)
        return self._reached(run_once(self._shell, command))

    def run_surely(
        self,
        arguments: Sequence[str],
        *,
        configuration: str = "",
        given: Sequence[bytes] | None = None,
        timeout: float = CALL_SECONDS,
    ) -> Ended:
        """The same for what does no harm when it is done twice: once more if the connection is lost meanwhile."""
        try:
            return self.run(arguments, configuration=configuration, given=given, timeout=timeout)
        except HostError as error:
            if not is_lost(error):
                raise
            return self.run(arguments, configuration=configuration, given=given, timeout=timeout)

    def stream(
        self,
        arguments: Sequence[str],
        *,
        configuration: str = "",
        environment: Mapping[str, str] | None = None,
        given: Iterable[bytes] | None = None,
        timeout: float = 0,
        silence: float = 0,
    ) -> Streamed:
        """Begin to run; read `pieces` to the end: (1 for stdout or 2 for stderr, bytes). Left early, it is ended."""
        streamed = Streamed(pieces=iter(()))
        command = self._command(arguments, configuration, environment, given, timeout, silence)
        streamed.pieces = self._pieces(command, streamed.ended)
        return streamed

    def require(self, ended: Ended, doing: str, failure: type[DockwrightError]) -> Ended:
        """The same, if it went well; else what the engine said as `failure`, or as it is known better."""
        if ended.status:
            raise refused(self.where, doing, ended.said or f"docker ended with {ended.status}", failure)
        return ended

    def end(self) -> None:
        self._shell.close()

    def _command(
        self,
        arguments: Sequence[str],
        configuration: str,
        environment: Mapping[str, str] | None,
        given: Iterable[bytes] | None,
        timeout: float,
        silence: float = 0,
    ) -> Command:
        before = [f"--config={configuration}", *self._own_engine()] if configuration else []
        return Command(
            arguments=["docker", *before, *arguments],
            environment=environment or {},
            standard_input=given,
            timeout=timeout,
            silence=silence,
        )

    def _own_engine(self) -> list[str]:
        """Asked once; a docker that knows no contexts has its engine from elsewhere."""
        if self._engine is None:
            said = self.run_surely(["context", "inspect", "--format={{.Endpoints.docker.Host}}"])
            found = said.output.decode("utf-8", "replace").strip() if said.status == 0 else ""
            self._engine = found if _ENGINE.fullmatch(found) else ""
        return [f"--host={self._engine}"] if self._engine else []

    def _pieces(self, command: Command, ended: Ended) -> Iterator[tuple[int, bytes]]:
        """In a thread of its own, so that whoever reads may take the time it wants, or leave."""
        queue = _Queue()
        threading.Thread(target=self._read_into, args=(queue, command, ended), daemon=True).start()
        try:
            while True:
                item = queue.items.get()
                if isinstance(item, BaseException):
                    raise item
                if isinstance(item, int):
                    ended.status = item
                    self._reached(ended)
                    return
                yield item
        finally:
            queue.left.set()

    def _read_into(self, queue: _Queue, command: Command, ended: Ended) -> None:
        errors = bytearray()

        def error(data: bytes) -> None:
            errors.extend(data[: max(0, _ERRORS_KEPT - len(errors))])
            queue.put((2, data))

        last: int | BaseException
        try:
            last = self._shell.run(command, lambda data: queue.put((1, data)), error)
        except BaseException as failure:
            last = failure
        ended.errors = bytes(errors)
        with suppress(_LeftError):
            queue.put(last)

    def _reached(self, ended: Ended) -> Ended:
        said = ended.said
        if ended.status == NO_SUCH_PROGRAM and not ended.output and "OCI runtime" not in said:
            raise HostError(f"{self.where}: there is no docker program on its PATH; install docker there")
        for phrase, advice in _UNREACHABLE.items():
            if ended.status and phrase in said.lower():
                raise HostError(f"{self.where}: {advice}")
        return ended


def is_lost(error: HostError) -> bool:
    """Whether the connection broke while something ran, so that nobody knows how far it came."""
    return isinstance(error.__cause__, ConnectionError)


def run_once(shell: Shell, command: Command) -> Ended:
    output, errors = bytearray(), bytearray()

    def keep(data: bytes) -> None:
        errors.extend(data[: max(0, _ERRORS_KEPT - len(errors))])

    status = shell.run(command, output.extend, keep)
    return Ended(status=status, output=bytes(output), errors=bytes(errors))


_UNREACHABLE = {
    "cannot connect to the docker daemon": "the engine does not answer there; start Docker on that machine",
    "permission denied while trying to connect": (
        "the login may not use the engine there; let it join the group that owns the socket (usually docker)"
    ),
    "error during connect": "the engine does not answer there; start Docker on that machine",
}
