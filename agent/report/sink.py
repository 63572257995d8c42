"""Writing to stdout and stderr: always whole lines, never a forged message, never a failure.

A deployment does not stop because the reader of its log went away, or because a terminal cannot show a letter.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TextIO

from agent.report.service_messages import break_up, message

_TERMINAL_CODE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


class Sink:
    """One of the two streams. What it cannot show is escaped; what nobody reads any more is dropped.

    With `keep_width` it is shown as `?` instead, one for one, for a display that counts columns.
    """

    def __init__(self, stream: TextIO, *, keep_width: bool = False) -> None:
        self._stream = stream
        self._errors = "replace" if keep_width else "backslashreplace"
        self._closed = False

    def line(self, text: str) -> None:
        """Write a line, or several; any service message in it is broken up."""
        self.write(break_up(text) + "\n")

    def message(self, name: str, /, **properties: str | None) -> None:
        """Write a service message, which so stands on a line of its own."""
        self.write(message(name, **properties) + "\n")

    def write(self, text: str) -> None:
        """Write as it is and flush. Never raises."""
        if self._closed:
            return
        try:
            self._write(text)
            self._stream.flush()
        except BrokenPipeError:
            self._abandon()
        except (OSError, ValueError):  # a full disk, a stream that somebody closed
            return

    def flush(self) -> None:
        """Nothing to do; for libraries that take this for a file."""

    @property
    def encoding(self) -> str:
        return self._stream.encoding or "ascii"

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            self._stream.write(text.encode(self.encoding, self._errors).decode(self.encoding))

    def _abandon(self) -> None:
        """Send what follows, the interpreter's own last flush included, to nowhere."""
        self._closed = True
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def printable(text: str) -> str:
    """Without what would move a terminal's cursor, colour it, or split a secret before the masker's eyes."""
    return _TERMINAL_CODE.sub("", text) if _TERMINAL_CODE.search(text) else text
