"""One program on the machine: started once, fed and listened to by requests, and surely ended."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from functools import partial
from time import monotonic, sleep

from agent.engine.shell import Command
from agent.errors import HostError
from windows.winrm import envelopes, failures
from windows.winrm.command_line import command_line
from windows.winrm.connection import PATIENCE, Connection
from windows.winrm.envelopes import Received
from windows.winrm.sending import Parcel, Sending
from windows.winrm.shells import RemoteShell, Shells
from windows.winrm.wire import Fault, Lost, TooLarge

NOTHING = Received(output=b"", error=b"", exit_code=None)

_ATTEMPTS = 3
_ENDED = "the machine has ended its shell; it may have restarted"
_FINISHED = (failures.BROKEN_PIPE, *failures.GONE)
_STILL_ASKED = (failures.PENDING, failures.CONCURRENCY, failures.RECEIVING)
_SOONEST, _LATEST = 0.02, 0.5
"""Seconds between requests for output, where the machine does not wait for any."""


def start(connection: Connection, shells: Shells, command: Command) -> RemoteProcess:
    """The program, running once. HostError if it cannot be started, or if nobody can say whether it was.

    A shell that takes no more commands is left for another.
    """
    what = command.title
    line = command_line(command.arguments)
    full: Fault | None = None
    for _ in range(_ATTEMPTS):
        try:
            shell = shells.take(command.environment)
        except Fault as fault:
            raise failures.explained(connection.target, "open a shell", fault.code, str(fault)) from fault
        except TooLarge as error:
            raise failures.too_small(connection.target, "open a shell") from error
        except (Lost, ValueError) as lost:
            raise HostError(f"{connection.target.url}: cannot open a shell: {lost}") from lost
        process = RemoteProcess(connection, shells, shell, what)
        try:
            if process.begin(line):
                return process
        except Fault as fault:
            full = fault
            if not shells.turn_away(shell):
                break
            continue
        except BaseException:
            shells.give_back(shell)
            raise
        shells.delete(shell)
    if full is not None:
        raise failures.explained(connection.target, f"run '{what}'", full.code, str(full)) from full
    raise HostError(f"{connection.target.url}: cannot run '{what}': the machine ends every shell at once")


class RemoteProcess:
    """One thread may send while another receives.

    Where the connection is lost, the cause of the HostError is a ConnectionError.
    """

    def __init__(self, connection: Connection, shells: Shells, shell: RemoteShell, what: str) -> None:
        self._connection = connection
        self._shells = shells
        self._shell = shell
        self._what = what
        self._id = envelopes.new_id()
        self._early: Received | None = None
        self._pause = _SOONEST
        self._lock = threading.Lock()
        self._finished = False
        self._ended = False

    @property
    def doing(self) -> str:
        return f"run '{self._what}'"

    @property
    def url(self) -> str:
        return self._connection.target.url

    def begin(self, line: tuple[str, str]) -> bool:
        """False if the shell was gone before anything was started in it. Fault if it has no room for more.

        A request whose answer is lost may have been heard. Where the machine takes our ids, asking for the
        command's output tells; elsewhere the shell is deleted, and what may run there ends with it.
        """
        unsure = False
        for _ in range(_ATTEMPTS):
            try:
                envelope = envelopes.command(self._shell.id, self._id, line)
                given = envelopes.read_command_id(self._connection.make(envelope))
                self._shells.used(self._shell, honours_ids=given.upper() == self._id)
                self._id = given
            except Fault as fault:
                if fault.code in failures.GONE and not unsure:
                    return False
                if fault.code in failures.FULL and not unsure:
                    raise
                if fault.code in failures.GONE:
                    raise self._unsure(_ENDED) from ConnectionAbortedError(str(fault))
                raise failures.explained(self._connection.target, self.doing, fault.code, str(fault)) from fault
            except TooLarge as error:
                raise failures.too_small(self._connection.target, self.doing) from error
            except (Lost, ValueError) as lost:
                if not self._shell.honours_ids:
                    self._shells.delete(self._shell)
                    raise self._unsure(str(lost)) from lost
                unsure = True
                if not self._has_started():
                    continue
            return True
        raise self._unsure("the connection is lost again and again") from ConnectionError()

    def receive(self, seconds: float) -> Received:
        """What it printed since, waiting up to `seconds` (rounded up) for the first of it."""
        if self._early is not None:
            early, self._early = self._early, None
            return early
        whole = max(1, math.ceil(min(seconds, envelopes.OPERATION_SECONDS)))
        asked = monotonic()
        received = self._received(whole)
        self._finished = received.exit_code is not None
        if received.output or received.error:
            self._pause = _SOONEST
        elif not self._finished and monotonic() - asked < _SOONEST + self._pause:
            sleep(self._pause)
            self._pause = min(self._pause * 1.5, _LATEST)
        return received

    def _received(self, whole: int) -> Received:
        message_id, deadline = envelopes.new_id(), monotonic() + PATIENCE
        while True:
            envelope = envelopes.receive(self._shell.id, self._id, message_id, whole)
            try:
                return envelopes.read_received(self._connection.ask(envelope, repeatable=True, seconds=whole))
            except Fault as fault:
                if fault.code in failures.NOT_YET:
                    return NOTHING
                if fault.code not in _STILL_ASKED or monotonic() > deadline:
                    gone = ConnectionAbortedError(str(fault)) if fault.code in failures.GONE else fault
                    raise self._stopped(fault) from gone
                sleep(0.2)
            except TooLarge as error:
                raise failures.too_small(self._connection.target, self.doing) from error
            except (Lost, ValueError) as lost:
                raise self._unsure(str(lost)) from lost

    def sending(self) -> Sending:
        return Sending(self._connection, self._shell.id, self._id)

    @property
    def room(self) -> int:
        """How many bytes of input one message holds."""
        return self._connection.room

    def send(self, sending: Sending, parcel: Parcel, go_on: Callable[[], bool]) -> bool:
        """Write to its standard input; False once it takes no more. Nothing is ever sent twice.

        While the machine is busy with what came before it is asked again, as long as `go_on` says so.
        """
        if len(parcel.data) <= self.room:
            taken = self._sent(lambda: sending.post(parcel), go_on, len(parcel.data))
            if taken is not None:
                return taken
        elif parcel.wire is not None:
            parcel.wire.broken = True  # what was sealed after this has no place there any more
        rest = memoryview(parcel.data)
        while True:
            piece = bytes(rest[: self.room])
            last = len(piece) == len(rest)
            taken = self._sent(partial(sending.post_again, piece, end=parcel.end and last), go_on, len(piece))
            if taken is False:
                return False
            if taken:
                rest = rest[len(piece) :]
                if last:
                    return True

    def end(self) -> None:
        """Kill it if it runs, and free what the machine keeps of it. A second call waits for the first."""
        with self._lock:
            if not self._ended:
                self._ended = True
                self._end()

    def _end(self) -> None:
        envelope = envelopes.terminate(self._shell.id, self._id)
        if any(self._connection.ask_once(envelope, over=self._finished) for _ in range(2)):
            self._shells.give_back(self._shell)
        else:
            self._shells.delete(self._shell)

    def _sent(self, post: Callable[[], None], go_on: Callable[[], bool], size: int) -> bool | None:
        """None when it was too large and smaller pieces should be sent."""
        pause = 0.2
        while True:
            try:
                post()
            except TooLarge:
                self._connection.shrink(f"send input to '{self._what}'", size)
                return None
            except Lost as lost:
                raise HostError(
                    f"{self.url}: the connection was lost while input was sent to '{self._what}' ({lost}); "
                    "it is given up, run it again"
                ) from lost
            except Fault as fault:
                if fault.code in failures.NOT_YET:
                    return True
                if fault.code in _FINISHED:
                    return False
                if fault.code != failures.BUSY:
                    raise failures.explained(self._connection.target, self.doing, fault.code, str(fault)) from fault
                if not go_on():
                    return False
                sleep(pause)
                pause = min(pause * 1.5, 3)
                continue
            return True

    def _has_started(self) -> bool:
        envelope = envelopes.receive(self._shell.id, self._id, envelopes.new_id(), 1)
        try:
            self._early = envelopes.read_received(self._connection.ask(envelope, repeatable=True, seconds=1))
        except Fault as fault:
            if fault.code in failures.UNKNOWN:
                return False
            if fault.code not in (*failures.NOT_YET, *_STILL_ASKED):
                raise failures.explained(self._connection.target, self.doing, fault.code, str(fault)) from fault
        except TooLarge as error:
            raise failures.too_small(self._connection.target, self.doing) from error
        except (Lost, ValueError) as lost:
            raise self._unsure(str(lost)) from lost
        return True

    def _stopped(self, fault: Fault) -> HostError:
        if fault.code in failures.GONE:
            if not self._ended:
                self._shells.delete(self._shell)
            return self._unsure(_ENDED)
        return failures.explained(self._connection.target, self.doing, fault.code, str(fault))

    def _unsure(self, reason: str) -> HostError:
        return HostError(f"{self.url}: whether '{self._what}' has done its work is not known: {reason}")
