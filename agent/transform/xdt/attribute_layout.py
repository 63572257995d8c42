"""Where attributes stand inside a start tag after some were added or removed. As the reference, step by step.

An element's record holds the space that stood before each attribute, and before the end of the tag. It is made to
agree with the attributes that are there now; what the record cannot tell is left for the writer to decide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from agent.transform.xml.nodes import Element

_END: Final = ""


def newline_of(element: Element) -> str | None:
    """The first space in a start tag that breaks the line; None if none does."""
    if element.fresh or element.source.find("\n", element.start, element.tag_end) < 0:
        return None
    return _first_newline(_spaces(element))


def lay_out(element: Element, indent: Callable[[], str]) -> str | None:
    """Give every attribute its place. `indent` is what to put before one that goes on a line of its own.

    Returns what the writer shall put before an undecided attribute that would make its line too long; None if all
    are decided.
    """
    present = {attribute.name for attribute in element.attributes}
    if not present:
        element.tail, element.record = "", ()
        return None
    spaces = {} if element.fresh else _spaces(element)
    recorded = [] if element.fresh else [name for name, _ in element.record]
    order = list(dict.fromkeys([*recorded, *(attribute.name for attribute in element.attributes)]))
    wrap = _reconcile(order, present, spaces, _Newline(spaces, indent))
    rank = {name: index for index, name in enumerate(order)}
    element.attributes.sort(key=lambda attribute: rank[attribute.name])
    for attribute in element.attributes:
        attribute.before = spaces.get(attribute.name)
    element.tail = spaces.pop(_END, "")
    element.record = tuple(spaces.items())
    return wrap


def _spaces(element: Element) -> dict[str, str]:
    """The record; it is there once the attributes have been read. Without a `tail` nothing was recorded."""
    if not element.attributes or element.tail is None:
        return {}
    return {**dict(element.record), _END: element.tail}


class _Newline:
    """What breaks the line before an attribute: as the tag itself does, else `indent`. Found at most once."""

    def __init__(self, spaces: dict[str, str], indent: Callable[[], str]) -> None:
        self._spaces = spaces
        self._indent = indent
        self.text: str | None = None

    def find(self) -> str:
        if self.text is None:
            self.text = _first_newline(self._spaces) or self._indent()
        return self.text


def _reconcile(order: list[str], present: set[str], spaces: dict[str, str], newline: _Newline) -> str | None:
    one_per_line: bool | None = None
    first = True
    keep: str | None = None
    for name in order:
        space = spaces.get(name)
        if name not in present:
            if space is not None:
                keep = _kept(keep, space, first=first)
                del spaces[name]
            continue
        if keep is not None:
            if first or space is None or "\n" not in space:
                spaces[name] = keep
            keep = None
        elif space is None and first:
            spaces[name] = " "
        elif space is None:
            if one_per_line is None:
                one_per_line = _is_one_per_line(order, spaces)
            line = newline.find()
            if one_per_line:
                spaces[name] = line
        first = False
    return newline.text


def _kept(keep: str | None, space: str, *, first: bool) -> str | None:
    """The space of removed attributes that the next one takes over: the first one's, else the last line break."""
    if first:
        return space if keep is None else keep
    return space if "\n" in space else keep


def _is_one_per_line(order: list[str], spaces: dict[str, str]) -> bool:
    return len(spaces) > 1 and all("\n" in spaces[name] for name in order[1:] if name in spaces)


def _first_newline(spaces: dict[str, str]) -> str | None:
    return next((space for space in spaces.values() if "\n" in space), None)
