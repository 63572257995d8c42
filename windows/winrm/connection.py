"""Requests to one machine over as many wires as are needed at once, asked again where that is harmless."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from agent.errors import HostError
from windows.winrm import certificates, envelopes, failures
from windows.winrm.target import Target
from windows.winrm.wire import Fault, LoginLost, Lost, TooLarge, Wire, Wordless

PATIENCE = 90.0
"""Seconds for which a machine that was there before is looked for again."""

FIRST_PATIENCE = 5.0
"""Seconds for which one that never was is asked again, should it hang up on the login."""

STALE_SECONDS = 60
"""After so long without use a wire is not taken again: the machine may be about to close it."""

_USUAL_KB = 500
_SMALL_KB = 150
_LARGEST_KB = 4096


class Connection:
    """Threads may share it. Each request has a wire for itself: sending never waits for receiving."""

    def __init__(self, target: Target, patience: float = PATIENCE) -> None:
        self.target = target
        self._patience = patience
        self._idle: list[tuple[Wire, float]] = []
        self._lock = threading.Lock()
        self._met = False
        self._spoke = False
        self._closed = False
        self._envelope_kb = 0

    @contextmanager
    def wire(self) -> Iterator[Wire]:
        """A wire that nobody else uses meanwhile."""
        wire = self.take()
        try:
            yield wire
        except (Lost, TooLarge):
            wire.broken = True
            raise
        except (Fault, HostError):
            raise
        except BaseException:
            wire.broken = True
            raise
        finally:
            self.give_back(wire)

    def take(self) -> Wire:
        """A wire to keep for a while; it may be logged in already."""
        with self._lock:
            oldest = monotonic() - STALE_SECONDS
            while self._idle:
                wire, used = self._idle.pop()
                if used > oldest:
                    return wire
                wire.close()
        return Wire(self.target)

    def give_back(self, wire: Wire) -> None:
        with self._lock:
            if not wire.broken and not self._closed:
                self._idle.append((wire, monotonic()))
                return
        wire.close()

    def ask(self, envelope: bytes, *, repeatable: bool, seconds: float = envelopes.OPERATION_SECONDS) -> bytes:
        """The answer. What is not `repeatable` is asked again only if the machine has surely not heard of it.

        Fault for a refusal, Lost when all attempts failed; HostError if the machine was never reached.
        """
        began = monotonic()
        pause = 0.1
        while True:
            try:
                with self.wire() as wire:
                    sealed = wire.seal(envelope)
                    self._met = self._met or self.target.logs_in_first
                    answer = wire.post(sealed, seconds)
                    self._met = self._spoke = True
                    return answer
            except Fault:
                self._met = self._spoke = True
                raise
            except Lost as lost:
                passed = monotonic() + pause - began
                brief = isinstance(lost, LoginLost) and passed < min(FIRST_PATIENCE, self._patience)
                if not self._met and lost.unheard and not brief:
                    raise failures.unreachable(self.target, str(lost)) from lost
                if not self._met and self.target.login == "certificate":
                    raise certificates.perhaps_refused(self.target, str(lost)) from lost
                if not (repeatable or lost.unheard):
                    raise
                if isinstance(lost, Wordless) and not self._spoke and passed > FIRST_PATIENCE:
                    raise
                if passed > self._patience:
                    self._met = False  # whoever asks next need not wait as long again
                    raise
            sleep(pause)
            pause = min(pause * 2, 2)

    def make(self, envelope: bytes) -> bytes:
        """As `ask`, for what brings something about: Lost also if the machine ran out of time, for it may go on."""
        try:
            return self.ask(envelope, repeatable=False)
        except Fault as fault:
            if fault.code in failures.NOT_YET:
                raise Lost("the machine did not do it in time", unheard=False) from fault
            raise

    def ask_once(self, envelope: bytes, *, over: bool = False) -> bool:
        """For tidying up: whether it was done, or there was nothing left to be done.

        Of what is `over` by itself a machine may know nothing any more, and say so in its own way.
        """
        try:
            with self.wire() as wire:
                wire.ask(envelope, 5)
        except (Lost, TooLarge, HostError):
            return False
        except Fault as fault:
            return over or fault.code in failures.UNKNOWN
        return True

    @property
    def room(self) -> int:
        """Bytes of standard input that one message holds: three quarters of it, in base64, less its frames.

        CredSSP puts a frame of its own, of 300 bytes at most, around each 16 KiB.
        """
        if not self._envelope_kb:
            self._envelope_kb = self._read_envelope_kb()
        frames = 2048 + (self._envelope_kb // 16 + 1) * 300 * (self.target.login == "credssp")
        return (self._envelope_kb * 1024 - frames) // 4 * 3

    def shrink(self, doing: str, size: int) -> None:
        """A message of `size` bytes was too large: send smaller ones. HostError when they are tiny already.

        Of one that was made before that is known, nothing new is learned.
        """
        if size > self.room:
            return
        if self._envelope_kb <= 32:
            raise failures.too_small(self.target, doing)
        self._envelope_kb = _SMALL_KB if self._envelope_kb > _SMALL_KB else self._envelope_kb // 2

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for wire, _ in idle:
            wire.close()

    def _read_envelope_kb(self) -> int:
        """Only administrators may read it. The usual size is tried on all others."""
        try:
            kb = envelopes.read_envelope_kb(self.ask(envelopes.get_configuration(), repeatable=True, seconds=5))
        except (Fault, Lost, TooLarge, ValueError):
            return _USUAL_KB
        return max(32, min(kb, _LARGEST_KB))
