"""What a run has to say, as values: the report makes them, a renderer shows them.

All text in an event is masked and freed of terminal codes before a renderer sees it, in one place and for every
field. Three types differ: a `Value` and a `Document` are masked but otherwise left as they are, because a program
uses them; a `Secret` passes untouched, because the server is to be told it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

Level = Literal["info", "verbose", "warning", "error"]
StageState = Literal["done", "failed"]


@dataclass(frozen=True)
class Secret:
    """Text that only a service message may carry. It has no readable representation."""

    text: str = field(repr=False)


class Value(msgspec.Struct, frozen=True):
    """Text for a machine, with its line breaks, trailing spaces and all."""

    text: str


class Document(msgspec.Struct, frozen=True):
    """Lists, dictionaries, texts and numbers, as JSON has them."""

    content: object


class StagesPlanned(msgspec.Struct, frozen=True, kw_only=True):
    names: tuple[str, ...]


class StageStarted(msgspec.Struct, frozen=True, kw_only=True):
    name: str


class StageDetail(msgspec.Struct, frozen=True, kw_only=True):
    """Something worth knowing about the stage that runs, such as a size; `name` is empty between stages."""

    name: str
    text: str


class StageEnded(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    state: StageState
    seconds: float


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message of one line or more."""

    level: Level
    text: str


class Output(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line that a build, a container or a script printed. `story` says that this is what the run is for."""

    text: str
    story: bool = False


class Transferred(msgspec.Struct, frozen=True, kw_only=True):
    """`done` of `total` bytes; `total` is 0 while unknown. `finished` comes once, last."""

    label: str
    done: int
    total: int
    finished: bool


class VariableSet(msgspec.Struct, frozen=True, kw_only=True):
    """An output variable; a sensitive one carries a `Secret`."""

    name: str
    value: Value | Secret


class ArtifactMade(msgspec.Struct, frozen=True, kw_only=True):
    """A file for the server to collect: absolute path, the name to show, length in bytes."""

    path: str
    name: str
    length: int


class SecretLearned(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that the server cannot know, since it was derived here."""

    secret: Secret


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """The run's end. `output` is the last that a build or a container printed; one text, since a secret may
    span its lines."""

    stage: str
    message: str
    output: str
    exit_code: int

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(self.output.split("\n")) if self.output else ()


class Succeeded(msgspec.Struct, frozen=True, kw_only=True):
    """The run's end, with its outputs as names and values."""

    outputs: tuple[tuple[str, str], ...]
    seconds: float


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a command that was asked something: the answer for a person, and the same for a program."""

    text: str
    document: Document
    exit_code: int


StageEvent = StagesPlanned | StageStarted | StageDetail | StageEnded
Ending = Failed | Succeeded | Answered
Event = StageEvent | Message | Output | Transferred | VariableSet | ArtifactMade | SecretLearned | Ending


class Renderer(Protocol):
    """Shows events to a person or to a server. Called by one thread at a time."""

    @property
    def transfer_interval(self) -> float:
        """Seconds between two `Transferred` events of one transfer."""
        ...

    def show(self, event: Event) -> None: ...

    def close(self) -> None:
        """Nothing follows; give the terminal back."""
        ...
