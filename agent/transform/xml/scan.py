"""From the text of a well-formed document to its tree, in one pass of one regular expression.

lxml has judged the text before, so that nothing here needs to find errors.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from agent.transform.xml.doctype import DOCTYPE
from agent.transform.xml.nodes import Element, Leaf, LeafKind, Node, append

_TOKEN = re.compile(
    r"""<([^\s/>!?]+)([^>"']*(?:"[^"]*"[^>"']*|'[^']*'[^>"']*)*)>"""
    r"|</[^>]*>"
    r"|(<!--.*?-->)"
    r"|(<!\[CDATA\[.*?\]\]>)"
    r"|(<\?.*?\?>)"
    rf"|({DOCTYPE})",
    re.DOTALL,
)
_LEAVES: Final[dict[int, LeafKind]] = {3: "comment", 4: "cdata", 5: "instruction", 6: "doctype"}
_MIRRORED: Final = frozenset({"comment", "instruction", "reference"})
_REFERENCE = re.compile(r"&(?!#|lt;|gt;|amp;|quot;|apos;)[^;]+;")


class Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """The document's tree, and those of its nodes that lxml has too, in document order."""

    root: Element
    mirrored: list[Node]


def scan(text: str, *, has_entities: bool = False) -> Scanned:
    """The tree of a text; with `has_entities` references to entities are nodes of their own.

    Text gets no nodes here: elements find it between their children when they are asked.
    """
    with _collector_paused():
        return _scan(text, has_entities=has_entities)


def _scan(text: str, *, has_entities: bool) -> Scanned:
    root = parent = Element("", text, 0, 0, self_closed=False)
    root.close = root.end = len(text)
    nodes: list[Node] = []
    position = 0
    for found in _TOKEN.finditer(text):
        start, end = found.span()
        if has_entities:
            _append_references(parent, text, position, start, nodes)
            position = end
        kind = found.lastindex
        if kind == 2:
            closed = text[end - 2] == "/"
            element = Element(found[1], text, start, end, self_closed=closed)
            element.index = len(nodes)
            nodes.append(element)
            append(parent, element)
            if not closed:
                parent = element
        elif kind is None:
            parent.close, parent.end = start, end
            parent = parent.parent or root
        else:
            _append_leaf(parent, Leaf(_LEAVES[kind], text, start, end), nodes)
    return Scanned(root=root, mirrored=nodes)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Without the cycle collector, which would look through the growing tree again and again, for twice the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _append_leaf(parent: Element, leaf: Leaf, nodes: list[Node]) -> None:
    if leaf.kind == "instruction" and leaf.start == 0 and leaf.name == "xml":
        leaf.kind = "declaration"
    if leaf.kind in _MIRRORED:
        leaf.index = len(nodes)
        nodes.append(leaf)
    append(parent, leaf)


def _append_references(parent: Element, text: str, start: int, end: int, nodes: list[Node]) -> None:
    for found in _REFERENCE.finditer(text, start, end):
        _append_leaf(parent, Leaf("reference", text, *found.span()), nodes)
