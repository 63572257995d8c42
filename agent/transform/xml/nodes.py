"""The tree of a document. Each node is a span of a source text until someone changes it.

Siblings are linked, so that inserting and removing cost the same wherever they happen. An element knows whether
anything in it was `touched`; what was not is written by copying its span.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from agent.transform.xml.characters import decode

LeafKind = Literal["text", "cdata", "comment", "instruction", "doctype", "declaration", "reference"]

_ATTRIBUTE = re.compile(r"""(\s+)([^\s=/>]+)(\s*=\s*)(?:"([^"]*)"|'([^']*)')""")


class Attribute:
    """One attribute. `before` is the space ahead of it, None while the layout has yet to decide; `raw` is as written.

    `namespace` is set for attributes that were not read from the document; `offset` is where the name stood.
    """

    __slots__ = ("before", "equals", "name", "namespace", "offset", "owner", "quote", "raw")

    def __init__(self, owner: Element, name: str, raw: str, *, namespace: str | None = None) -> None:
        self.owner = owner
        self.name = name
        self.raw = raw
        self.before: str | None = None
        self.equals = "="
        self.quote = '"'
        self.namespace = namespace
        self.offset = -1

    @property
    def value(self) -> str:
        """The value, with its references resolved."""
        return decode(self.raw)

    @property
    def local(self) -> str:
        """The name without its prefix."""
        return self.name.rpartition(":")[2]

    @property
    def declares(self) -> str | None:
        """The prefix that this attribute binds, `` for the default namespace; None if it is no declaration."""
        if self.name == "xmlns":
            return ""
        return self.name[6:] if self.name.startswith("xmlns:") else None


class Leaf:
    """A node without children: its whole spelling is `source[start:end]`."""

    index = -1
    parent: Element | None = None
    previous: Node | None = None
    next: Node | None = None
    significant: bool | None = None

    def __init__(self, kind: LeafKind, source: str, start: int, end: int) -> None:
        self.kind: LeafKind = kind
        self.source = source
        self.start = start
        self.end = end

    @property
    def raw(self) -> str:
        """The node as it is written."""
        return self.source[self.start : self.end]

    @property
    def value(self) -> str:
        """What the node says: text, the inside of a CDATA section or a comment, a processing instruction's data."""
        raw = self.raw
        match self.kind:
            case "text":
                return decode(raw)
            case "cdata":
                return raw[9:-3]
            case "comment":
                return raw[4:-3]
            case "instruction":
                return raw[2:-2].partition(self.name)[2].lstrip()
            case _:
                return raw

    @property
    def name(self) -> str:
        """A processing instruction's target, an entity reference's name; else nothing."""
        if self.kind == "instruction":
            return self.raw[2:-2].split(maxsplit=1)[0]
        return self.raw[1:-1] if self.kind == "reference" else ""

    def respell(self, raw: str) -> None:
        """Write the node otherwise."""
        if self.parent is not None:
            self.parent.fill()
        self.source, self.start, self.end = raw, 0, len(raw)
        touch(self.parent)


class Element:
    """An element, or the document itself, whose name is empty.

    `start` to `tag_end` is its start tag, `close` to `end` its end tag (both are `end` for a self-closed one).
    `fresh` elements did not come from the document: they are written from `name`, `namespace` and `attributes`.
    Text between its children is turned into nodes only when asked for: see `fill`.
    """

    index = -1
    parent: Element | None = None
    previous: Node | None = None
    next: Node | None = None
    first: Node | None = None
    last: Node | None = None
    namespace: str | None = None
    touched = False
    fresh = False
    retagged = False
    filled = False
    record: tuple[tuple[str, str], ...] = ()
    tail: str | None = None
    _attributes: list[Attribute] | None = None

    def __init__(self, name: str, source: str, start: int, tag_end: int, *, self_closed: bool) -> None:
        self.name = name
        self.source = source
        self.start = start
        self.tag_end = tag_end
        self.close = self.end = tag_end
        self.self_closed = self_closed

    @property
    def attributes(self) -> list[Attribute]:
        """The attributes in order, read from the start tag when first asked for."""
        if self._attributes is None:
            self._attributes = [] if self.fresh else self._read_attributes()
        return self._attributes

    @property
    def local(self) -> str:
        """The name without its prefix."""
        return self.name.rpartition(":")[2]

    @property
    def was_self_closed(self) -> bool:
        """Whether the start tag, as it was read, ends the element."""
        return not self.fresh and self.source[self.tag_end - 2] == "/"

    def attribute(self, name: str) -> Attribute | None:
        """The attribute of exactly that qualified name."""
        return next((each for each in self.attributes if each.name == name), None)

    def children(self) -> Iterator[Node]:
        """The children in order; whichever comes next may change meanwhile."""
        self.fill()
        node = self.first
        while node is not None:
            yield node
            node = node.next

    def elements(self) -> Iterator[Element]:
        """The child elements in order."""
        node = self.first
        while node is not None:
            if isinstance(node, Element):
                yield node
            node = node.next

    def fill(self) -> None:
        """Make nodes of the text between the children, if that has not been done."""
        if self.filled or self.fresh:
            return
        self.filled = True
        position = self.tag_end
        node = self.first
        while node is not None:
            if node.start > position:
                _link(self, Leaf("text", self.source, position, node.start), node)
            position, node = node.end, node.next
        if self.close > position:
            append(self, Leaf("text", self.source, position, self.close))

    def retag(self) -> None:
        """Say that the start tag must be written anew, from the attributes."""
        self.retagged = True
        touch(self)

    def may_declare(self) -> bool:
        """Whether the start tag could hold a namespace declaration."""
        if self._attributes is not None or self.fresh:
            return True
        return self.source.find("xmlns", self.start, self.tag_end) >= 0

    def _read_attributes(self) -> list[Attribute]:
        attributes = []
        position = self.start + 1 + len(self.name)
        for found in _ATTRIBUTE.finditer(self.source, position, self.tag_end):
            before, name, equals, double, single = found.groups()
            attribute = Attribute(self, name, single if double is None else double)
            attribute.before, attribute.equals, attribute.quote = before, equals, "'" if double is None else '"'
            attribute.offset = found.start(2)
            attributes.append(attribute)
            position = found.end()
        self.tail = self.source[position : self.tag_end - (2 if self.was_self_closed else 1)]
        self.record = tuple((each.name, each.before or "") for each in attributes)
        return attributes


Node = Leaf | Element


def touch(element: Element | None) -> None:
    """Mark an element and all above it as changed."""
    while element is not None and not element.touched:
        element.touched = True
        element = element.parent


def append(parent: Element, node: Node) -> None:
    """Make a node the last child, without marking anything: for building trees."""
    node.parent = parent
    node.previous = parent.last
    if parent.last is None:
        parent.first = node
    else:
        parent.last.next = node
    parent.last = node


def insert(parent: Element, node: Node, before: Node | None) -> None:
    """Put a node, alone or taken from elsewhere, before a child, or last."""
    parent.fill()
    detach(node)
    touch(parent)
    parent.self_closed = False
    if before is None:
        append(parent, node)
    else:
        _link(parent, node, before)


def detach(node: Node) -> None:
    """Take a node out of its parent, if it has one."""
    parent = node.parent
    if parent is None:
        return
    parent.fill()
    touch(parent)
    if node.previous is None:
        parent.first = node.next
    else:
        node.previous.next = node.next
    if node.next is None:
        parent.last = node.previous
    else:
        node.next.previous = node.previous
    node.parent = node.previous = node.next = None


def fill_all(root: Element) -> None:
    """Make nodes of all text below an element."""
    waiting = [root]
    while waiting:
        element = waiting.pop()
        element.fill()
        waiting.extend(element.elements())


def _link(parent: Element, node: Node, before: Node) -> None:
    node.parent, node.next, node.previous = parent, before, before.previous
    if before.previous is None:
        parent.first = node
    else:
        before.previous.next = node
    before.previous = node
