"""What an XDT run says, as the reference engine says it: messages, warnings and errors with their places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.errors import TransformError

XdtLevel = Literal["verbose", "normal", "warning", "error"]


@dataclass(frozen=True, kw_only=True)
class XdtMessage:
    """One line of the log. `file` is the name the caller gave, empty if the place is unknown; so are line, column."""

    level: XdtLevel
    text: str
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"{self.file} ({self.line}, {self.column}) " if self.file else ""
        return f"{place}{self.level}: {self.text}" if self.level in {"warning", "error"} else self.text


@dataclass(frozen=True, kw_only=True)
class Place:
    """A position in one of the two files."""

    file: str
    line: int
    column: int


class XdtFatal(TransformError):  # noqa: N818  the word says it
    """A run that could not begin or not end: nothing may be written. `messages` is the log until then."""

    def __init__(self, message: str, *, messages: tuple[XdtMessage, ...] = ()) -> None:
        super().__init__(message)
        self.messages = messages


class Problem(Exception):  # noqa: N818  one transform's error; the run goes on
    """What makes one transform fail. Without a place it is reported where the Transform attribute stands."""

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__(message)
        self.place = place


class Report:
    """The messages of a run, in order. While `quiet`, warnings are messages like any other."""

    def __init__(self) -> None:
        self.messages: list[XdtMessage] = []
        self.quiet = False

    def verbose(self, text: str) -> None:
        """Say what is done."""
        self.messages.append(XdtMessage(level="verbose", text=text))

    def normal(self, text: str) -> None:
        """Say what the user may want to know."""
        self.messages.append(XdtMessage(level="normal", text=text))

    def warning(self, text: str, place: Place) -> None:
        """Say what is probably not meant."""
        if self.quiet:
            self.normal(text)
        else:
            self._placed("warning", text, place)

    def error(self, text: str, place: Place | None) -> None:
        """Say what failed."""
        self._placed("error", text, place)

    def _placed(self, level: XdtLevel, text: str, place: Place | None) -> None:
        if place is None:
            self.messages.append(XdtMessage(level=level, text=text))
        else:
            self.messages.append(
                XdtMessage(level=level, text=text, file=place.file, line=place.line, column=place.column)
            )
