"""A variable's value as YAML that takes the place of a mapping or a sequence."""

from __future__ import annotations

import re

import msgspec

from agent.transform.structured.formats import ParseFailure
from agent.transform.structured.yaml_events import Event, emit, parse_events

_LEADING = re.compile(r"[ ]*")


class Fragment(msgspec.Struct, frozen=True, kw_only=True):
    """What a value says as YAML.

    `inline` is its source text for one line, in flow style where it has structure. `lines` are those of a block
    mapping or sequence without its indentation; empty where the value is none.
    """

    inline: str
    events: tuple[Event, ...]
    lines: tuple[str, ...] = ()
    is_mapping: bool = False


def fragment(value: str) -> Fragment | None:
    """The fragment that a value is; None where it is not YAML, or is several documents."""
    try:
        events = tuple(parse_events(value))
    except ParseFailure:
        return None
    nodes = tuple(event for event in events if event.kind != "document")
    if len(events) - len(nodes) > 1:
        return None
    if not nodes:
        return Fragment(inline='""', events=(Event("scalar", 0, 0, style='"'),))
    return Fragment(
        inline=emit(nodes), lines=_lines(value, nodes), is_mapping=nodes[0].kind == "mapping", events=nodes
    )


def _lines(value: str, nodes: tuple[Event, ...]) -> tuple[str, ...]:
    """The lines of a block collection as written, moved to the left edge."""
    root = nodes[0]
    if root.kind not in {"mapping", "sequence"} or root.flow or root.anchor or root.tag:
        return ()
    end = max(event.end for event in nodes if event.kind != "end" or event.end > event.start)
    margin = root.start - (value.rfind("\n", 0, root.start) + 1)
    first, *others = value[root.start : end].rstrip(" \t\r\n").split("\n")
    return (first.rstrip("\r"), *(_moved(line.rstrip("\r"), margin) for line in others))


def _moved(line: str, margin: int) -> str:
    match = _LEADING.match(line, 0, margin)
    assert match is not None
    return line[match.end() :]
