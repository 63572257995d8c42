"""A deployment's log: a line an event, appended to one file; a cursor is a place in it.

The file is written by the child and read by whoever wants, at any time: nothing is lost or doubled when either of
them is started anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from agent.errors import StorageError
from agent.report.events import Message, Output
from agent.report.stream import Line, decode_line, encode_event
from agent.service.record import Progress

LARGEST_LOG = 200_000_000
LARGEST_LINE = 1_000_000
PAGE_BYTES = 256_000


class LogWriter:
    """Takes the streams of a run piece by piece; keeps their lines, and notes in `progress` what they tell."""

    def __init__(
        self, path: Path, progress: Progress, changed: Callable[[], None], largest: int = LARGEST_LOG
    ) -> None:
        self._file = path.open("ab", buffering=0)  # what the disk does not take must not come later, in pieces
        self._progress = progress
        self._changed = changed
        self._room = largest - self._file.tell()
        self._lost = 0
        self._why = ""
        self._rest = {"events": b"", "errors": b""}

    def __enter__(self) -> LogWriter:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a log that is lost must not end what it tells of
            os.fsync(self._file.fileno())
        self._file.close()

    def events(self, data: bytes) -> None:
        """A piece of what the run prints: a line an event."""
        for line in self._whole_lines("events", data):
            try:
                self._event(decode_line(line), line)
            except msgspec.DecodeError:
                self._append(_wrapped(line))

    def errors(self, data: bytes) -> None:
        """A piece of what it prints on stderr, as libraries do."""
        for line in self._whole_lines("errors", data):
            self._append(_wrapped(line))

    def finish(self) -> None:
        """Nothing follows: keep what had no newline, and say what was left out. StorageError if that has no room."""
        for name in self._rest:
            if rest := self._rest[name]:
                self._rest[name] = b""
                self._append(_wrapped(rest))
        if self._lost and not self._write(
            _warning(f"{self._lost:,} more lines were printed, and left out: {self._why}")
        ):
            raise StorageError("the disk has no room for the end of a log; free some")
        self._lost = 0

    def _whole_lines(self, name: str, data: bytes) -> list[bytes]:
        *lines, rest = (self._rest[name] + data).split(b"\n")
        if len(rest) > LARGEST_LINE:
            lines.append(rest)
            rest = b""
        self._rest[name] = rest
        return lines

    def _event(self, line: Line, text: bytes) -> None:
        match line.event:
            case "stage-started":
                self._progress.stage = str(line.data.get("name", ""))
                self._changed()
            case "variable":
                self._progress.outputs[str(line.data.get("name", ""))] = str(line.data.get("value", ""))
            case "failed":
                self._progress.error = str(line.data.get("message", ""))
        self._append(text.rstrip())

    def _append(self, line: bytes) -> None:
        if self._lost:
            self._lost += 1
        elif len(line) >= self._room:
            self._write(_warning("the log is full; what is printed from here on is left out"))
            self._lost, self._why = 1, "the log was full"
        elif self._write(line):
            self._room -= len(line) + 1
        else:
            self._lost, self._why = 1, "the disk was full"

    def _write(self, line: bytes) -> bool:
        """Whether all of the line is in the file; of one that the disk has no room for, nothing is."""
        place = self._file.tell()
        with suppress(OSError):
            if self._file.write(line + b"\n") == len(line) + 1:
                return True
        with suppress(OSError):
            self._file.truncate(place)
            self._file.seek(place)
        return False


def read_page(path: Path, cursor: int, limit: int = PAGE_BYTES) -> tuple[list[bytes], int]:
    """Whole lines from the cursor on, at most about `limit` bytes of them, and the cursor after them."""
    try:
        with path.open("rb") as file:
            file.seek(cursor)
            data = file.read(max(limit, LARGEST_LINE + 4096))
    except FileNotFoundError:
        return [], cursor
    end = data.rfind(b"\n", 0, limit) + 1 or data.find(b"\n") + 1
    return data[:end].split(b"\n")[:-1], cursor + end


def _warning(text: str) -> bytes:
    return encode_event(Message(level="warning", text=text)).encode()


def _wrapped(line: bytes) -> bytes:
    return encode_event(Output(text=line[:LARGEST_LINE].decode("utf-8", "replace"))).encode()
