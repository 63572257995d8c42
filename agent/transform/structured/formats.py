"""What every structured format takes and gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from agent.transform.changes import Change
from agent.transform.messages import Message, info, verbose
from agent.transform.structured.paths import PathNode

FormatName = Literal["Json", "Yaml", "Xml", "Properties"]


class ParseFailure(Exception):  # noqa: N818  not an error: another format may do
    """A file that is not of this format. `line` and `column` count from 1; 0 where unknown."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(f"{message}, line {line}, column {column}" if line else message)
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """A file after replacement: its bytes (the same object where nothing changed), and what was done to it.

    `matched` counts the places that a variable named, replaced or not.
    """

    data: bytes = field(repr=False)
    changes: tuple[Change, ...] = ()
    messages: tuple[Message, ...] = ()
    matched: int = 0


class Names(Protocol):
    """The variables as a structured format sees them; built once for all files (see `candidates.py`)."""

    @property
    def all(self) -> tuple[str, ...]:
        """Every variable's name, as spelled, in order."""
        ...

    @property
    def paths(self) -> PathNode:
        """The names that may address JSON and YAML, as a tree of their parts."""
        ...

    @property
    def keys(self) -> Mapping[str, str]:
        """The names that may address properties, by their folded spelling."""
        ...

    def value(self, name: str) -> str | None:
        """The evaluated value; None for a null."""
        ...

    def is_sensitive(self, name: str) -> bool:
        """Whether the value is a secret, or made of one."""
        ...


class Replace(Protocol):
    """A format's one function. `file` is for the changes. ParseFailure if the bytes are not of the format."""

    def __call__(self, data: bytes, names: Names, file: str) -> Replaced: ...


def failure_at(message: str, text: str, offset: int) -> ParseFailure:
    """A ParseFailure with the line and the column of an offset."""
    return ParseFailure(message, text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def found(name: str) -> Message:
    """Said once per place (for XML: per node) that a variable names. As Calamari."""
    return verbose(f"Structure found matching the variable '{name}'. Replacing its content with the variable value.")


def nothing_found() -> Message:
    """Said once per file in which no variable names a place. As Calamari."""
    return info(
        "No structures have been found that match variable names, so no structured variable replacements have been "
        "applied."
    )
