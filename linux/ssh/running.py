"""One program on a machine, from its input to its exit code."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from time import monotonic

from paramiko import Channel

from agent.engine.shell import ByteSink, Command
from agent.engine.stream_pair import is_readable
from agent.errors import HostError
from linux.ssh.connection import raise_lost

NUMBER = "dockwright-process"
"""Begins the line of standard error that tells the program's number."""

_PIECE = 1024 * 1024
_LOOK_SECONDS = 1.0
_KILLED = 137
_NUMBERED = re.compile(rb"^%s (\d{1,10})\n" % NUMBER.encode(), re.MULTILINE)
_LONGEST_GREETING = 64 * 1024


class Running:
    """A program that first tells its process number on standard error, after whatever the login shell says there."""

    def __init__(self, where: str, command: Command, channel: Channel, output: ByteSink, error: ByteSink) -> None:
        self.number = 0
        self._where = where
        self._command = command
        self._channel = channel
        self._output = output
        self._error = error
        self._greeting: bytes | None = b""
        self._feeder = _Feeder(channel, command.standard_input)

    def followed(self) -> int:
        """Pass on what it prints until it has ended. HostError if that takes too long, or the way is lost."""
        self._feeder.start()
        began = last_word = monotonic()
        readable = self._channel.fileno()
        while not self._is_over():
            if self._channel.eof_received:
                self._channel.status_event.wait(self._patience(began))
            else:
                is_readable(readable, self._patience(began))
            if self._passed_on():
                last_word = monotonic()
            self._check(began, max(last_word, self._feeder.last_sent))
        return self._exit_code()

    def _patience(self, began: float) -> float:
        if not self._command.timeout:
            return _LOOK_SECONDS
        return max(0.0, min(_LOOK_SECONDS, began + self._command.timeout - monotonic()))

    def _is_over(self) -> bool:
        """One that closes its output may still run."""
        channel = self._channel
        ended = bool(channel.closed or (channel.eof_received and channel.status_event.is_set()))
        return ended and not channel.recv_ready() and not channel.recv_stderr_ready()

    def _passed_on(self) -> bool:
        anything = False
        while self._channel.recv_ready():
            self._output(self._channel.recv(_PIECE))
            anything = True
        while self._channel.recv_stderr_ready():
            self._take_error(self._channel.recv_stderr(_PIECE))
            anything = True
        return anything

    def _take_error(self, data: bytes) -> None:
        if self._greeting is not None:
            self._greeting += data
            found = _NUMBERED.search(self._greeting)
            if found is None and len(self._greeting) < _LONGEST_GREETING:
                return
            data, self._greeting = self._greeting, None
            if found is not None:
                self.number = int(found[1])
                data = data[: found.start()] + data[found.end() :]
        if data:
            self._error(data)

    def _check(self, began: float, last_word: float) -> None:
        if self._feeder.failure is not None:
            raise self._feeder.failure
        now, command = monotonic(), self._command
        if command.timeout and now >= began + command.timeout and not self._is_over():
            raise self._took_too_long(f"has not ended within {command.timeout:g} s")
        if command.silence and now >= last_word + command.silence:
            raise self._took_too_long(f"has said nothing for {command.silence:g} s")

    def _took_too_long(self, what: str) -> HostError:
        error = HostError(f"{self._where}: '{self._command.title}' {what}, and was ended")
        error.__cause__ = TimeoutError()
        return error

    def _exit_code(self) -> int:
        if self._feeder.failure is not None:
            raise self._feeder.failure
        if self._greeting:
            self._error(self._greeting)
        code = self._channel.exit_status
        if code >= 0:
            return code
        if not self._channel.get_transport().is_active():
            raise_lost(self._where, "")
        return _KILLED


class _Feeder:
    """Sends a program its input in a thread of its own, for it prints meanwhile."""

    def __init__(self, channel: Channel, source: Iterable[bytes] | None) -> None:
        self.failure: BaseException | None = None
        self.last_sent = 0.0
        self._channel = channel
        self._source = source

    def start(self) -> None:
        if self._source is None:
            self._channel.shutdown_write()
            return
        threading.Thread(target=self._feed, args=(self._source,), daemon=True, name="ssh-input").start()

    def _feed(self, source: Iterable[bytes]) -> None:
        try:
            for piece in source:
                view = memoryview(piece)
                while view:
                    try:
                        view = view[self._channel.send(view) :]  # type: ignore[arg-type]
                    except OSError:
                        return  # it has ended, or was ended
                    self.last_sent = monotonic()
        except BaseException as error:
            self.failure = error
        finally:
            _end_input(self._channel)


def _end_input(channel: Channel) -> None:
    try:
        channel.shutdown_write()
    except (OSError, EOFError):
        return
