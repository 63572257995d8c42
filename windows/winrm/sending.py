"""Standard input as messages that are sealed one ahead: while one is on its way, the next is made.

Encoding and sealing take about as long as the machine takes to accept a message, which must be waited for: messages
that overtake each other would mix up the input.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field

from agent.errors import HostError
from windows.winrm import envelopes
from windows.winrm.connection import Connection
from windows.winrm.wire import Fault, Lost, Sealed, Wire

_SEALED_AHEAD = ("ntlm", "basic", "certificate")
"""The others' libraries do not say that one thread may seal while another opens an answer."""


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """A piece of input. With `sealed` it is ready to go, on `wire` and in order."""

    data: bytes = field(repr=False)
    end: bool
    wire: Wire | None = None
    sealed: Sealed | None = field(default=None, repr=False)


class Sending:
    """The way of one command's input. One thread prepares, one posts."""

    def __init__(self, connection: Connection, shell_id: str, command_id: str) -> None:
        self._connection = connection
        self._ids = (shell_id, command_id)
        self._lock = threading.Lock()
        self._wire: Wire | None = None
        self._on_the_way = 0
        self._closed = False

    def prepare(self, data: bytes, *, end: bool) -> Parcel:
        """Seal ahead if that is possible; what goes wrong with it is found out again when it is posted."""
        ahead = self._connection.target.login in _SEALED_AHEAD and len(data) <= self._connection.room
        with self._lock, suppress(Lost, HostError):
            if ahead and not self._closed:
                wire = self._sound_wire()
                sealed = wire.seal(self._envelope(data, end))
                self._on_the_way += 1
                return Parcel(data=data, end=end, wire=wire, sealed=sealed)
        return Parcel(data=data, end=end)

    def post(self, parcel: Parcel) -> None:
        """Send what was sealed, once; anew only if it was surely not heard. Fault, TooLarge or Lost."""
        if parcel.wire is not None and parcel.sealed is not None and not parcel.wire.broken:
            try:
                return self._post_sealed(parcel.wire, parcel.sealed)
            except Lost as lost:
                if not lost.unheard:
                    raise
        return self.post_again(parcel.data, end=parcel.end)

    def post_again(self, data: bytes, *, end: bool) -> None:
        """On another wire than what is sealed ahead: there the order is fixed already."""
        self._connection.ask(self._envelope(data, end), repeatable=False)

    def close(self) -> None:
        """A wire with messages that were sealed and not sent is of no use to anybody else."""
        with self._lock:
            self._closed = True
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.broken = wire.broken or self._on_the_way > 0
            self._connection.give_back(wire)

    def _post_sealed(self, wire: Wire, sealed: Sealed) -> None:
        try:
            wire.post(sealed)
        except Fault:
            self._arrived()
            raise
        self._arrived()

    def _arrived(self) -> None:
        with self._lock:
            self._on_the_way -= 1

    def _sound_wire(self) -> Wire:
        if self._wire is None or self._wire.broken:
            if self._wire is not None:
                self._connection.give_back(self._wire)
            self._wire, self._on_the_way = self._connection.take(), 0
        return self._wire

    def _envelope(self, data: bytes, end: bool) -> bytes:
        return envelopes.send(*self._ids, data, end=end)
