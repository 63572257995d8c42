"""What the transforms have to say. They never print: they return messages, and the caller reports them.

Levels and facts are Calamari's, so that logs read as a deployment's always did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, Protocol

import msgspec

from agent.errors import TransformError

Level = Literal["verbose", "info", "warn", "error"]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One line for the deployment's log."""

    level: Level
    text: str


class TransformFailure(TransformError):  # noqa: N818  it is its parent, with more to say
    """A TransformError that brings along what was said before it. Nothing has been written when it is raised."""

    def __init__(self, message: str, *, messages: Sequence[Message] = (), output: Sequence[str] = ()) -> None:
        super().__init__(message, output=output)
        self.messages = tuple(messages)


@contextmanager
def kept_on_failure(messages: Sequence[Message]) -> Iterator[None]:
    """Whatever fails inside, as a TransformError, brings the messages along that are there by then."""
    try:
        yield
    except TransformFailure:
        raise
    except TransformError as failure:
        raise TransformFailure(str(failure), messages=messages, output=failure.output) from failure


def verbose(text: str) -> Message:
    """A line that is shown only when asked for."""
    return Message(level="verbose", text=text)


def info(text: str) -> Message:
    """A line of the ordinary log."""
    return Message(level="info", text=text)


def warn(text: str) -> Message:
    """A line that marks the deployment as one with warnings."""
    return Message(level="warn", text=text)


def error(text: str) -> Message:
    """A line shown as an error; whether the run fails is said by an exception, not by this."""
    return Message(level="error", text=text)


class Listener(Protocol):
    """What takes the messages: the report."""

    def verbose(self, text: str) -> None: ...

    def info(self, text: str) -> None: ...

    def warning(self, text: str) -> None: ...

    def error(self, text: str) -> None: ...


def tell(messages: Sequence[Message], listener: Listener) -> None:
    """Pass on what the features said, each line at its level."""
    say = {"verbose": listener.verbose, "info": listener.info, "warn": listener.warning, "error": listener.error}
    for message in messages:
        say[message.level](message.text)
