"""From the text of a well-formed document to its tree, in one pass of one regular expression.

lxml has judged the text before, so that nothing here needs to find errors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

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


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """The document's tree, and those of its nodes that lxml has too, in document order."""

    root: Element
    mirrored: list[Node]


def scan(text: str, *, has_entities: bool = False) -> Scanned:
    """The tree of a text; with `has_entities` references to entities are nodes of their own."""
    root = parent = Element("", text, 0, 0, self_closed=False)
    root.end = len(text)
    nodes: list[Node] = []
    position = 0
    for found in _TOKEN.finditer(text):
        start, end = found.span()
        if start > position:
            _append_text(parent, text, position, start, nodes if has_entities else None)
        position = end
        kind = found.lastindex
        if kind == 2:
            closed = text[end - 2] == "/"
            element = Element(found.group(1), text, start, end, self_closed=closed)
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
    if position < len(text):
        append(root, Leaf("text", text, position, len(text)))
    return Scanned(root=root, mirrored=nodes)


def _append_leaf(parent: Element, leaf: Leaf, nodes: list[Node]) -> None:
    if leaf.kind == "instruction" and leaf.start == 0 and leaf.name == "xml":
        leaf.kind = "declaration"
    if leaf.kind in _MIRRORED:
        leaf.index = len(nodes)
        nodes.append(leaf)
    append(parent, leaf)


def _append_text(parent: Element, text: str, start: int, end: int, nodes: list[Node] | None) -> None:
    if nodes is not None:
        for found in _REFERENCE.finditer(text, start, end):
            if found.start() > start:
                append(parent, Leaf("text", text, start, found.start()))
            _append_leaf(parent, Leaf("reference", text, *found.span()), nodes)
            start = found.end()
    if end > start:
        append(parent, Leaf("text", text, start, end))
