"""Structured variables in YAML: new values are spliced into the text, and nothing else of it moves.

As Calamari, a scalar keeps its style, anchor and tag, and a mapping or sequence gives way to whatever its value
says. Unlike Calamari, layout and comments stay, and comments and aliases never upset what a path means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

import msgspec

from agent.errors import TransformError
from agent.transform.changes import Change
from agent.transform.structured.formats import Names, ParseFailure, Replaced, found, nothing_found
from agent.transform.structured.yaml_events import Event, parse_events
from agent.transform.structured.yaml_fragments import Fragment, fragment
from agent.transform.structured.yaml_layout import Page, Splice, inline_splices, scalar_splices, structure_splices
from agent.transform.structured.yaml_scalars import double_quoted
from agent.transform.structured.yaml_scan import Place, find_places
from agent.transform.text import decode, dominant_newline, encode, with_text

_INDENT = re.compile(r"^([ ]*)[^\s#-][^\r\n]*:[ \t]*(?:#[^\r\n]*)?\r?\n([ ]+)[^\s#-]", re.MULTILINE)


def replace(data: bytes, names: Names, file: str) -> Replaced:
    """Replace the values that variables name, in every document of the stream."""
    document = decode(data)
    text = document.text
    places = find_places(text, names.paths)
    if not places:
        return Replaced(data=data, messages=(nothing_found(),))
    messages = tuple(found(place.name) for place in places)
    edits = _edits(places, names)
    page = Page(text=text, newline=dominant_newline(text), unit=_unit(text))
    splices = [tuple(edit.splices(page)) for edit in edits]
    new = _written(page, edits, splices, file)
    if new == text:
        return Replaced(data=data, messages=messages, matched=len(places))
    encoded = encode(with_text(document, new))
    return Replaced(
        data=encoded.data,
        changes=tuple(
            _change(page, edit, names, file)
            for edit, made in zip(edits, splices, strict=True)
            if any(text[splice.start : splice.end] != splice.new for splice in made)
        ),
        messages=messages + encoded.messages,
        matched=len(places),
    )


class _Edit(msgspec.Struct, frozen=True, kw_only=True):
    """A place and its new value; `fragment` where a structure gives way to YAML that is some."""

    place: Place
    value: str | None
    fragment: Fragment | None = None

    def splices(self, page: Page, *, one_line: bool = False) -> Iterator[Splice]:
        if self.place.style is not None:
            return scalar_splices(page, self.place, self.value)
        if self.value is None:
            return inline_splices(page, self.place, "null")
        if self.fragment is None:
            kept = page.text[self.place.start : self.place.body].strip()
            return inline_splices(page, self.place, f"{kept} {double_quoted(self.value)}".lstrip())
        return structure_splices(page, self.place, self.fragment, one_line=one_line)


def _edits(places: list[Place], names: Names) -> list[_Edit]:
    """What is to stand at each place. A value is read as YAML once, however many documents it goes to."""
    fragments: dict[str, Fragment | None] = {}
    edits = []
    for place in places:
        value = names.value(place.name)
        if place.style is None and value is not None:
            if place.name not in fragments:
                fragments[place.name] = fragment(value)
            edits.append(_Edit(place=place, value=value, fragment=fragments[place.name]))
        else:
            edits.append(_Edit(place=place, value=value))
    return edits


def _written(page: Page, edits: list[_Edit], splices: list[tuple[Splice, ...]], file: str) -> str:
    """The new text. Where lines were moved it is read again: a value that came out as another goes on one line."""
    new = _spliced(page.text, chain.from_iterable(splices))
    if all(edit.place.style is not None for edit in edits):
        return new
    expected = list(_expected(page.text, edits))
    if _reads_as(new, expected):
        return new
    new = _spliced(page.text, chain.from_iterable(edit.splices(page, one_line=True) for edit in edits))
    if _reads_as(new, expected):
        return new
    which = ", ".join(edit.place.name for edit in edits if edit.place.style is None)
    raise TransformError(f"{file}: the values of {which} cannot be written there; give them on one line, as JSON")


_Shape = tuple[str, str | None, str | None]


def _expected(text: str, edits: list[_Edit]) -> Iterator[_Shape]:
    """What the new text should say: what the old one says, with the new values in their places."""
    waiting = iter(edits)
    edit = next(waiting, None)
    depth = 0
    for event in parse_events(text):
        if depth:
            depth += {"mapping": 1, "sequence": 1, "end": -1}.get(event.kind, 0)
        elif edit is not None and event.start == edit.place.event and _fits(event, edit.place):
            yield from _replacement(event, edit)
            depth = 0 if event.kind == "scalar" else 1
            edit = next(waiting, None)
        else:
            yield _shape(event)


def _fits(event: Event, place: Place) -> bool:
    """Whether an event is the one that made a place; a structure's first key begins where the structure does."""
    if place.style is None:
        return event.kind in {"mapping", "sequence"}
    return event.kind == "scalar" and event.value == place.value and event.style == place.style


def _replacement(event: Event, edit: _Edit) -> Iterator[_Shape]:
    if edit.value is None:
        yield ("scalar", "null", event.anchor if event.kind == "scalar" else None)
    elif event.kind == "scalar" or edit.fragment is None:
        yield ("scalar", edit.value, event.anchor)
    else:
        yield from map(_shape, edit.fragment.events)


def _shape(event: Event) -> _Shape:
    return (event.kind, event.value, event.anchor)


def _reads_as(text: str, expected: list[_Shape]) -> bool:
    try:
        return list(map(_shape, parse_events(text))) == expected
    except ParseFailure:
        return False


def _spliced(text: str, splices: Iterable[Splice]) -> str:
    pieces, position = [], 0
    for splice in splices:
        pieces += [text[position : splice.start], splice.new]
        position = splice.end
    return "".join([*pieces, text[position:]])


def _change(page: Page, edit: _Edit, names: Names, file: str) -> Change:
    place = edit.place
    return Change(
        feature="structured",
        file=file,
        place=place.path,
        rule=place.name,
        old=place.value if place.style is not None else page.text[place.start : place.end],
        new="null" if edit.value is None else edit.value,
        sensitive=names.is_sensitive(place.name),
    )


def _unit(text: str) -> int:
    match = _INDENT.search(text)
    return max(len(match[2]) - len(match[1]), 1) if match else 2
