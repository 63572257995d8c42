"""One JSON document a line and an event, as it happens: how a run's events travel to where they are shown.

`read_event` gives back the event that `StreamRenderer` wrote, so that whoever follows a run from afar shows it with
the very renderers that a local run has. Secrets do not travel: they stand there masked.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from agent.report.events import (
    Answered,
    ArtifactMade,
    Document,
    Event,
    Failed,
    Message,
    Output,
    Secret,
    SecretLearned,
    StageDetail,
    StageEnded,
    StagesPlanned,
    StageStarted,
    Succeeded,
    Transferred,
    Value,
    VariableSet,
)
from agent.report.masking import MASK
from agent.report.sink import Sink

_KINDS: Final[dict[str, type[Any]]] = {
    "stages-planned": StagesPlanned,
    "stage-started": StageStarted,
    "stage-detail": StageDetail,
    "stage-ended": StageEnded,
    "message": Message,
    "output": Output,
    "transferred": Transferred,
    "artifact": ArtifactMade,
    "failed": Failed,
    "succeeded": Succeeded,
}
_NAMES: Final = {type_: name for name, type_ in _KINDS.items()}


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event: when (ISO 8601, UTC), which kind, and its fields."""

    time: str
    event: str
    data: dict[str, Any] = {}


class StreamRenderer:
    """Writes each event as a line of JSON."""

    transfer_interval = 1.0

    def __init__(self, stdout: Sink) -> None:
        self._stdout = stdout

    def show(self, event: Event) -> None:
        if isinstance(event, SecretLearned):
            return
        self._stdout.write(encode_event(event) + "\n")

    def close(self) -> None:
        """Every line was written when it came."""


def encode_event(event: Event) -> str:
    """The event as one line of JSON, without its newline."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    name, data = _data(event)
    return msgspec.json.encode(Line(time=time, event=name, data=data)).decode()


def read_event(line: Line) -> Event | None:
    """The event of a line; None for kinds that a later version may add."""
    data = line.data
    match line.event:
        case "variable":
            value = Secret(MASK) if data.get("sensitive") else Value(str(data.get("value", "")))
            return VariableSet(name=str(data.get("name", "")), value=value)
        case "answered":
            document = Document(data.get("document"))
            return Answered(
                text=str(data.get("text", "")), document=document, exit_code=int(data.get("exit_code", 0))
            )
        case kind if kind in _KINDS:
            event: Event = msgspec.convert(data, _KINDS[kind])
            return event
        case _:
            return None


def decode_line(text: bytes) -> Line:
    """A line as it was written. msgspec.DecodeError if it is none."""
    return msgspec.json.decode(text, type=Line)


def _data(event: Event) -> tuple[str, dict[str, Any]]:
    match event:
        case VariableSet(name=name, value=Secret()):
            return "variable", {"name": name, "value": MASK, "sensitive": True}
        case VariableSet(name=name, value=Value(text)):
            return "variable", {"name": name, "value": text}
        case Answered(text=text, document=document, exit_code=code):
            return "answered", {"text": text, "document": document.content, "exit_code": code}
        case _:
            return _NAMES[type(event)], msgspec.to_builtins(event)
