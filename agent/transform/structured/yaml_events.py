"""YAML as the events of libyaml's parser: no node is ever built, so aliases expand to nothing.

Depth is limited while parsing, and stops it; what follows is never looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import yaml
from yaml.reader import ReaderError

from agent.transform.structured.formats import ParseFailure, failure_at

MAXIMUM_DEPTH = 256

Kind = Literal["document", "mapping", "sequence", "end", "scalar", "alias"]


class Event(NamedTuple):
    """One step through a stream. `text[start:end]` is its source; the end of a block has none.

    `style` is a scalar's: `'`, `"`, `|`, `>`, or empty for plain. `anchor` is what an alias names,
    too; `value` of an end is the kind of what ends.
    """

    kind: Kind
    start: int
    end: int
    value: str = ""
    style: str = ""
    flow: bool = False
    anchor: str | None = None
    tag: str | None = None


def parse_events(text: str) -> Iterator[Event]:
    """The events of all documents. ParseFailure with line and column for what is not YAML, or nested too deeply."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CLoader):
            read = _event(event)
            if read is None:
                continue
            if read.kind in {"mapping", "sequence"}:
                depth += 1
                if depth > MAXIMUM_DEPTH:
                    raise failure_at(f"nested deeper than {MAXIMUM_DEPTH} levels", text, read.start)
            elif read.kind == "end":
                depth -= 1
            yield read
    except yaml.YAMLError as error:
        raise _failure(error, text) from error
    except UnicodeEncodeError as error:
        raise ParseFailure("there are bytes that are no text of its encoding") from error


def emit(events: Iterable[Event]) -> str:
    """One document on one line: collections in flow style. Scalars that need several lines are quoted."""
    stream = [yaml.StreamStartEvent(), yaml.DocumentStartEvent(explicit=False)]
    stream += [_flowing(event) for event in events]
    stream += [yaml.DocumentEndEvent(explicit=False), yaml.StreamEndEvent()]
    written: str = yaml.emit(stream, Dumper=yaml.Dumper, width=1_000_000_000, allow_unicode=True)
    return written.removesuffix("\n").removesuffix("...").removesuffix("\n")


def _event(event: yaml.Event) -> Event | None:
    start, end = event.start_mark, event.end_mark
    assert start is not None
    assert end is not None
    first, last = start.index, end.index
    if isinstance(event, yaml.ScalarEvent):
        return Event("scalar", first, last, event.value, event.style or "", anchor=event.anchor, tag=event.tag)
    if isinstance(event, yaml.CollectionStartEvent):
        kind: Kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence"
        return Event(kind, first, last, flow=bool(event.flow_style), anchor=event.anchor, tag=event.tag)
    if isinstance(event, yaml.CollectionEndEvent):
        return Event("end", first, last, "mapping" if isinstance(event, yaml.MappingEndEvent) else "sequence")
    if isinstance(event, yaml.AliasEvent):
        return Event("alias", first, last, anchor=event.anchor)
    return Event("document", first, last) if isinstance(event, yaml.DocumentStartEvent) else None


def _flowing(event: Event) -> yaml.Event:
    if event.kind == "scalar":
        implicit = (event.tag is None, event.tag is None)
        style = '"' if event.style in {"|", ">"} or len(event.value.splitlines()) > 1 else event.style
        return yaml.ScalarEvent(event.anchor, event.tag, implicit, event.value, style=style)
    if event.kind == "alias":
        return yaml.AliasEvent(event.anchor)
    if event.kind == "mapping":
        return yaml.MappingStartEvent(event.anchor, event.tag, event.tag is None, flow_style=True)
    if event.kind == "sequence":
        return yaml.SequenceStartEvent(event.anchor, event.tag, event.tag is None, flow_style=True)
    return yaml.MappingEndEvent() if event.value == "mapping" else yaml.SequenceEndEvent()


def _failure(error: yaml.YAMLError, text: str) -> ParseFailure:
    if isinstance(error, yaml.MarkedYAMLError):
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        mark = error.context_mark if error.context == "while scanning a simple key" else error.problem_mark
        if mark is not None and mark.line > text.count("\n"):
            return failure_at(problem, text, len(text))
        if mark is not None:
            return ParseFailure(problem, mark.line + 1, mark.column + 1)
    if isinstance(error, ReaderError) and isinstance(error.position, int):
        return failure_at(error.reason, text, error.position)
    return ParseFailure(" ".join(str(error).split()))
