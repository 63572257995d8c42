"""Finding the places in a YAML text that variables name: where each begins, ends, and what it hangs on."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from agent.repeats import any_number_of
from agent.transform.structured.paths import PathNode
from agent.transform.structured.yaml_events import Event, parse_events

_GAP = any_number_of(r"[\s\ufeff]++|#[^\r\n]*+")
_PROPERTIES = re.compile(any_number_of(rf"(?:!<[^>]*+>|![^\s,\[\]{{}}]*+|&[^\s,\[\]{{}}]++){_GAP}"))
_INDICATOR = re.compile(rf"{_GAP}[-:]")
_STEPS = {"mapping": 1, "sequence": 1, "end": -1}
_COMMENT = re.compile(r"[ \t]+#[^\r\n]*")


class Place(msgspec.Struct, kw_only=True):
    """A node that a variable names.

    `text[start:body]` are its anchor and tag, `text[body:end]` is what it says; `event` is where the parser sees
    it. `hook` is the offset right behind the colon or dash that it hangs on, -1 if there is none. `style` is that
    of a scalar, None for a structure. `margin` is the column of the collection around it.
    """

    name: str
    path: str
    event: int
    start: int
    body: int
    end: int
    hook: int
    style: str | None
    flow: bool
    in_flow: bool
    in_mapping: bool
    margin: int
    anchor: str | None
    value: str = ""


class _Frame(msgspec.Struct):
    """An open collection that variables lead into. `key` is None while a mapping waits for its next key."""

    is_mapping: bool
    node: PathNode
    path: str
    flow: bool
    margin: int
    index: int = 0
    key: str | None = None
    waiting: bool = True


def find_places(text: str, paths: PathNode) -> list[Place]:
    """Every node that a variable names, in order; none inside of another. ParseFailure if the text is not YAML.

    All documents of a stream answer to the same paths. Aliases are what they are, and never followed.
    """
    return list(_Scan(text).run(paths))


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.frames: list[_Frame] = []
        self.behind = 0
        """The end of the last thing that was there to read."""

    def run(self, paths: PathNode) -> Iterator[Place]:
        events = parse_events(self.text)
        for event in events:
            if event.kind == "end":
                self.frames.pop()
            elif event.kind != "document":
                scalar = event.value if event.kind == "scalar" else None
                node, path = self.next_node(scalar) if self.frames else (paths, "")
                if event.kind in {"mapping", "sequence"}:
                    yield from self.collection(event, node, path, events)
                elif scalar is not None and node is not None and node.name is not None and self.frames:
                    yield self.scalar(event, node.name, path)
            self.pass_by(event)

    def next_node(self, scalar: str | None) -> tuple[PathNode | None, str]:
        """Where the next node of the innermost collection stands; a mapping's keys stand nowhere."""
        frame = self.frames[-1]
        if not frame.is_mapping:
            key = str(frame.index)
            frame.index += 1
            return frame.node.children.get(key), _join(frame, key)
        frame.waiting = not frame.waiting
        if not frame.waiting:
            frame.key = scalar
            return None, ""
        if frame.key is None:
            return None, ""
        return frame.node.descend(frame.key), _join(frame, frame.key)

    def scalar(self, event: Event, name: str, path: str) -> Place:
        place = self.place(event, name, path)
        place.end = max(place.body, event.end)
        place.style = event.style
        place.value = event.value
        if place.hook < 0 and place.in_mapping:
            place.start = place.body = place.end = self.behind
        if place.style in {"|", ">"}:
            place.end = self.trimmed(place.body, place.end)
        return place

    def collection(self, event: Event, node: PathNode | None, path: str, events: Iterator[Event]) -> Iterator[Place]:
        """Go into a collection if names lead there, and past it if none does or it is itself named."""
        place = self.place(event, node.name, path) if node is not None and node.name and self.frames else None
        if place is None and node is not None and node.children:
            margin = 0 if event.flow else self.column(self.body(event))
            self.frames.append(_Frame(event.kind == "mapping", node, path, event.flow, margin))
            return
        self.pass_by(event)
        self.skip(events)
        if place is not None:
            place.flow = event.flow
            place.end = self.behind if place.flow else self.trimmed(place.body, self.behind)
            comment = None if place.flow else _COMMENT.match(self.text, place.end)
            place.end = comment.end() if comment else place.end
            yield place

    def place(self, event: Event, name: str, path: str) -> Place:
        frame = self.frames[-1]
        hook = None if frame.flow and not frame.is_mapping else _INDICATOR.match(self.text, self.behind)
        return Place(
            name=name,
            path=path,
            event=event.start,
            start=event.start,
            body=self.body(event),
            end=-1,
            hook=hook.end() if hook is not None else -1,
            style=None,
            flow=False,
            in_flow=frame.flow,
            in_mapping=frame.is_mapping,
            margin=frame.margin,
            anchor=event.anchor,
        )

    def body(self, event: Event) -> int:
        """Where a node's content begins, behind its anchor and tag."""
        if event.anchor is None and event.tag is None:
            return event.start
        match = _PROPERTIES.match(self.text, event.start)
        assert match is not None
        return min(match.end(), max(event.start, event.end))

    def skip(self, events: Iterator[Event]) -> None:
        depth = 1
        for event in events:
            depth += _STEPS.get(event.kind, 0)
            self.pass_by(event)
            if not depth:
                return

    def pass_by(self, event: Event) -> None:
        """The end of a block has no text of its own, a bracket has; a sequence's first dash is its item's."""
        if event.kind == "sequence" and not event.flow:
            self.behind = max(self.behind, self.body(event))
        elif event.kind != "end" or event.end > event.start:
            self.behind = max(self.behind, event.end)

    def trimmed(self, start: int, end: int) -> int:
        return start + len(self.text[start:end].rstrip(" \t\r\n"))

    def column(self, offset: int) -> int:
        return offset - (self.text.rfind("\n", 0, offset) + 1)


def _join(frame: _Frame, key: str) -> str:
    return f"{frame.path}:{key}" if frame.path else key
