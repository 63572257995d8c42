"""Programs on a Windows machine over WinRM, as the docker command line host wants them run."""

from __future__ import annotations

import atexit
import re
from socket import socket
from threading import Thread
from time import monotonic

from agent.engine.shell import ByteSink, Command
from agent.errors import HostError
from agent.host import OperatingSystem
from windows.winrm.bridge import bridge
from windows.winrm.connection import PATIENCE, Connection
from windows.winrm.envelopes import OPERATION_SECONDS, Received
from windows.winrm.feeding import Feeder, gathered
from windows.winrm.process import RemoteProcess, start
from windows.winrm.shells import Shells
from windows.winrm.target import Target

NO_SUCH_PROGRAM = 127

_HANGING_UP = 10
"""Seconds in which streams that are still open come to their end."""


class WinRMShell:
    """A `Shell`. Threads may share it; close it, or the machine keeps its shells until they are idle too long."""

    def __init__(self, target: Target, patience: float = PATIENCE) -> None:
        self._target = target
        self._connection = Connection(target, patience)
        self._shells = Shells(self._connection)
        self._carriers: list[Thread] = []
        atexit.register(self.close)

    @property
    def url(self) -> str:
        return self._target.url

    @property
    def address(self) -> str:
        return self._target.address

    @property
    def operating_system(self) -> OperatingSystem:
        return "windows"

    def run(self, command: Command, output: ByteSink, error: ByteSink) -> int:
        """As the Protocol says. The cause of a HostError for a timeout is a TimeoutError."""
        process = start(self._connection, self._shells, command)
        feeder = None
        try:
            if command.standard_input is not None:
                source = command.standard_input
                feeder = Feeder(process, lambda _busy: gathered(source, process.room))
            said = _Said(output, error)
            code = _followed(process, command, feeder, said)
        finally:
            if feeder is not None:
                feeder.stop()
            process.end()
        return NO_SUCH_PROGRAM if self._was_not_found(command, code, said) else code

    def open(self, command: Command) -> socket:
        """As the Protocol says. What the program prints to standard error goes nowhere."""
        process = start(self._connection, self._shells, command)
        try:
            stream, carrier = bridge(process)
        except BaseException:
            process.end()
            raise
        self._carriers = [each for each in (*self._carriers, carrier) if each.is_alive()]
        return stream

    def close(self) -> None:
        """Once is enough; a process that ends without it does it at its end."""
        atexit.unregister(self.close)
        self._shells.close()
        for carrier in self._carriers:
            carrier.join(_HANGING_UP)
        self._connection.close()

    def _was_not_found(self, command: Command, code: int, said: _Said) -> bool:
        """cmd.exe says so in the machine's language, and with an exit code that programs use too."""
        program = command.arguments[0]
        if (
            code not in (1, 9009)
            or said.anything
            or not re.search(rf"""['"«„]{re.escape(program)}['"»“]""", said.error)
        ):
            return False
        if program == "where" or "is not recognized as an internal or external command" in said.error:
            return True
        where = Command(arguments=("where", program), timeout=30)
        return self.run(where, _nowhere, _nowhere) != 0


class _Said:
    """Passes output on, and keeps the beginning of standard error."""

    def __init__(self, output: ByteSink, error: ByteSink) -> None:
        self.anything = False
        self.error = ""
        self._output = output
        self._error = error

    def take(self, received: Received) -> None:
        if received.output:
            self.anything = True
            self._output(received.output)
        if received.error:
            if len(self.error) < 1000:
                self.error += received.error[:1000].decode("utf-8", "replace")
            self._error(received.error)


def _followed(process: RemoteProcess, command: Command, feeder: Feeder | None, said: _Said) -> int:
    deadline = monotonic() + command.timeout if command.timeout else None
    last_word = monotonic()
    while True:
        if feeder is not None:
            last_word = max(last_word, feeder.last_sent)
        silent_until = last_word + command.silence if command.silence else None
        received = _listened(
            process, feeder, min(t for t in (deadline, silent_until, monotonic() + OPERATION_SECONDS) if t)
        )
        said.take(received)
        if received.exit_code is not None:
            return received.exit_code
        now = monotonic()
        if received.output or received.error:
            last_word = now
        elif silent_until and now >= silent_until and (feeder is None or feeder.last_sent <= last_word):
            raise _timed_out(process, f"has said nothing for {command.silence:g} s")
        if deadline and now >= deadline:
            raise _timed_out(process, f"has not ended within {command.timeout:g} s")


def _listened(process: RemoteProcess, feeder: Feeder | None, until: float) -> Received:
    """What went wrong with the input is what went wrong."""
    try:
        received = process.receive(until - monotonic())
    except HostError:
        if feeder is not None and feeder.failure is not None:
            raise feeder.failure from feeder.failure.__cause__
        raise
    if feeder is not None and feeder.failure is not None:
        raise feeder.failure
    return received


def _timed_out(process: RemoteProcess, what: str) -> HostError:
    error = HostError(f"{process.url}: could not {process.doing}: it {what}, and was ended")
    error.__cause__ = TimeoutError()
    return error


def _nowhere(_piece: bytes) -> None:
    pass
