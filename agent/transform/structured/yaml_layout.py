"""Where in a YAML text new values are spliced in, and how they are laid out there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from agent.transform.structured.yaml_fragments import Fragment
from agent.transform.structured.yaml_scalars import Surroundings, is_plain, scalar
from agent.transform.structured.yaml_scan import Place

_PLAIN_NULLS = frozenset({"null", "Null", "NULL", "~"})


class Splice(msgspec.Struct, frozen=True, kw_only=True):
    """`text[start:end]` gives way to `new`."""

    start: int
    end: int
    new: str


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The document's text and its habits: its newline, and how many columns a level is indented by."""

    text: str
    newline: str
    unit: int


def scalar_splices(page: Page, place: Place, value: str | None) -> Iterator[Splice]:
    """A scalar's text gives way to another; its style, anchor and tag stay. A null drops style and tag."""
    old = page.text[place.body : place.end]
    if value is None:
        if place.style == "" and place.start == place.body and old in _PLAIN_NULLS:
            return
        anchor = f"&{place.anchor} " if place.anchor else ""
        yield Splice(start=place.start, end=place.end, new=_spaced(page, place, place.start, anchor + "null"))
        return
    if value == place.value and (old or place.style):
        return
    where = Surroundings(in_flow=place.in_flow, margin=place.margin, old=old)
    new = scalar(value, place.style or "", where)
    if place.end == len(page.text) and new[0] in "|>" and value.endswith("\n"):
        new += page.newline
    yield Splice(start=place.body, end=place.end, new=_spaced(page, place, place.body, new))


def structure_splices(page: Page, place: Place, new: Fragment, *, one_line: bool) -> Iterator[Splice]:
    """A mapping or sequence gives way to what the value says; its anchor, its tag and its comments go with it.

    `one_line` writes it in flow style, which has a place everywhere.
    """
    if place.in_flow or one_line or not new.lines:
        yield from inline_splices(page, place, _fitting(place, new))
    elif place.flow:
        yield from _block_for_flow(page, place, new)
    else:
        yield from _block_for_block(page, place, new)


def inline_splices(page: Page, place: Place, new: str) -> Iterator[Splice]:
    """A structure gives way to a text of one line, behind the colon or dash that it hung on."""
    if place.in_flow or place.flow or place.hook < 0:
        yield Splice(start=place.start, end=place.end, new=_spaced(page, place, place.start, new))
        return
    head, tail = _head(page, place), _line_break_before(page, place)
    if tail < head:
        yield Splice(start=place.hook, end=place.end, new=" " + new)
        return
    yield Splice(start=place.hook, end=head, new=" " + new)
    yield Splice(start=tail, end=place.end, new="")


def _block_for_block(page: Page, place: Place, new: Fragment) -> Iterator[Splice]:
    column = _column(page, place.body)
    head, tail = _head(page, place), _line_break_before(page, place)
    if tail < head:
        yield Splice(start=place.start, end=place.end, new=_joined(page, new, column))
        return
    if head > place.hook:
        yield Splice(start=place.hook, end=head, new="")
    if new.is_mapping and place.in_mapping and column <= place.margin:
        column = place.margin + page.unit
    start = place.body - _column(page, place.body)
    yield Splice(start=start, end=place.end, new=" " * column + _joined(page, new, column))


def _block_for_flow(page: Page, place: Place, new: Fragment) -> Iterator[Splice]:
    if not place.in_mapping:
        column = _column(page, place.start)
        yield Splice(start=place.start, end=place.end, new=_joined(page, new, column))
        return
    column = place.margin + (page.unit if new.is_mapping else 0)
    lines = page.newline + " " * column + _joined(page, new, column)
    yield Splice(start=place.hook, end=place.end, new=lines)


def _fitting(place: Place, new: Fragment) -> str:
    """The one-line text; a plain scalar is quoted where flow style would take it apart."""
    root = new.events[0]
    if place.in_flow and root.kind == "scalar" and not root.style and not (root.anchor or root.tag):
        return new.inline if is_plain(root.value, in_flow=True) else scalar(root.value, "'", _NOWHERE)
    return new.inline


_NOWHERE = Surroundings(in_flow=True, margin=0, old="")


def _head(page: Page, place: Place) -> int:
    """Where the anchor and tag of a structure end; right behind the hook if it has none."""
    if place.start == place.body:
        return place.hook
    properties = page.text[place.start : place.body]
    return place.start + len(re.split(r"\s#|[\r\n]", properties, maxsplit=1)[0].rstrip())


def _line_break_before(page: Page, place: Place) -> int:
    """The newline before the line that a structure begins on; -1 if it begins on the line of its hook."""
    newline = page.text.rfind("\n", place.hook, place.body)
    if newline > 0 and page.text[newline - 1] == "\r":
        newline -= 1
    return newline


def _joined(page: Page, new: Fragment, column: int) -> str:
    margin = page.newline + " " * column
    return "".join(
        line if index == 0 else (margin + line if line.strip() else page.newline)
        for index, line in enumerate(new.lines)
    )


def _spaced(page: Page, place: Place, offset: int, new: str) -> str:
    """A text with a space before it where it would otherwise touch a colon, a dash or a tag.

    A key without a colon gets one first.
    """
    if place.hook < 0 and place.in_mapping:
        return ": " + new if place.in_flow else f"{page.newline}{' ' * place.margin}: {new}"
    touching = offset > 0 and page.text[offset - 1] not in " \t\r\n[{,"
    return " " + new if touching else new


def _column(page: Page, offset: int) -> int:
    return offset - (page.text.rfind("\n", 0, offset) + 1)
