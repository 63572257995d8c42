"""Structured variables in JSON: new values are spliced into the text, and nothing else of it moves.

As Calamari, a value takes the type of what it replaces where it can, and nothing is ever added. Unlike Calamari,
comments, spelling of numbers, order and layout stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from agent.transform.changes import Change
from agent.transform.messages import Message, warn
from agent.transform.structured.formats import Names, ParseFailure, Replaced, found, nothing_found
from agent.transform.structured.json_scan import Place, find_places, unquoted
from agent.transform.structured.json_values import Shape, as_boolean, as_number, as_structure, quoted
from agent.transform.text import Lines, decode, dominant_newline, encode, with_text

_INDENT = re.compile(r"[{\[][ \t]*\r?\n([ \t]*)[^\s]")
_MARGIN = re.compile(r"[ \t]*")


def replace(data: bytes, names: Names, file: str) -> Replaced:
    """Replace the values that variables name. A file of no bytes has no values; it stays as it is."""
    document = decode(data)
    if not document.text:
        return Replaced(data=data, messages=(nothing_found(),))
    text = document.text
    winners = _winners(find_places(text, names.paths))
    edits = list(_edits(text, winners, names))
    messages = tuple(message for edit in edits for message in edit.messages)
    if not edits:
        messages = (nothing_found(),)
    changed = [edit for edit in edits if edit.new is not None and edit.new != edit.old]
    if not changed:
        return Replaced(data=data, messages=messages, matched=len(edits))
    encoded = encode(with_text(document, _spliced(text, changed)))
    return Replaced(
        data=encoded.data,
        changes=tuple(_change(edit, names, file) for edit in changed),
        messages=messages + encoded.messages,
        matched=len(edits),
    )


class _Edit(msgspec.Struct, frozen=True, kw_only=True):
    """A place and what is to stand there; None where the old value is kept, as `messages` explain."""

    place: Place
    old: str
    new: str | None
    messages: tuple[Message, ...]


def _winners(places: list[Place]) -> list[Place]:
    """Of several places with one name the last counts, as Calamari; in the order they begin."""
    last = {place.name: place for place in places}
    return sorted(last.values(), key=lambda place: place.start)


def _edits(text: str, places: list[Place], names: Names) -> Iterator[_Edit]:
    """An edit for each place; none inside a structure that is replaced as a whole."""
    covered = 0
    layout = _Layout(text)
    for place in places:
        if place.start < covered:
            continue
        old = text[place.start : place.end]
        try:
            new = _new_text(old, names.value(place.name), place, layout)
            messages: tuple[Message, ...] = (found(place.name),)
        except ParseFailure as failure:
            new = None
            said = f"Unable to set value for {place.name}. The following error occurred: {failure}"
            messages = (found(place.name), warn(said))
        if new is not None and old[0] in "{[":
            covered = place.end
        yield _Edit(place=place, old=old, new=new, messages=messages)


def _new_text(old: str, value: str | None, place: Place, layout: _Layout) -> str:
    """The value as it is to be written in the place of `old`. ParseFailure if it cannot be."""
    kind = old[0]
    if kind in "{[":
        if value is None:
            raise ParseFailure("the variable is null")
        return as_structure(value, layout.shape_at(place))
    if kind in "\"'" or old in {"null", "undefined"}:
        if value is None:
            return "null"
        return old if kind in "\"'" and unquoted(old) == value else quoted(value)
    if value is None:
        raise ParseFailure("the variable is null")
    return as_boolean(value) if old in {"true", "false"} else as_number(value)


class _Layout:
    """How a document is laid out; found out when a structure first asks."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._newline = dominant_newline(text)
        self._lines = Lines(text)
        first = _INDENT.search(text)
        self._unit = None if first is None else first[1].removeprefix(self._margin(first.start())) or "  "

    def shape_at(self, place: Place) -> Shape:
        """A structure that took several lines, or was empty in a file of several lines, takes several again."""
        old = self._text[place.start : place.end]
        many = "\n" in old or (not old[1:-1].strip() and self._unit is not None)
        unit = (self._unit or "  ") if many else None
        return Shape(newline=self._newline, unit=unit, margin=self._margin(place.start) if many else "")

    def _margin(self, offset: int) -> str:
        match = _MARGIN.match(self._text, self._lines.start(offset), offset)
        return match[0] if match else ""


def _spliced(text: str, edits: list[_Edit]) -> str:
    pieces, position = [], 0
    for edit in edits:
        pieces += [text[position : edit.place.start], edit.new or ""]
        position = edit.place.end
    return "".join([*pieces, text[position:]])


def _change(edit: _Edit, names: Names, file: str) -> Change:
    return Change(
        feature="structured",
        file=file,
        place=edit.place.path,
        rule=edit.place.name,
        old=_shown(edit.old),
        new=_shown(edit.new or ""),
        sensitive=names.is_sensitive(edit.place.name),
    )


def _shown(value: str) -> str:
    return unquoted(value) if value[:1] in {'"', "'"} else value
