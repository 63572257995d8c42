"""Putting a document together again: every span that no one touched is copied, in as few pieces as possible."""

from __future__ import annotations

from collections.abc import Mapping

from agent.transform.xml.characters import escape_attribute
from agent.transform.xml.nodes import Attribute, Element, Node
from agent.transform.xml.prefixes import Prefixes

WIDTH = 160


class Output:
    """Pieces of the text to come. Spans of one source that follow on each other are one piece."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._source = ""
        self._start = self._end = 0

    def copy(self, source: str, start: int, end: int) -> None:
        """Add a span of a source."""
        if source is self._source and start == self._end:
            self._end = end
            return
        self._flush()
        self._source, self._start, self._end = source, start, end

    def put(self, text: str) -> None:
        """Add a text."""
        self._flush()
        self._pieces.append(text)

    def column(self) -> int:
        """Where the next character would stand in its line, from 1."""
        self._flush()
        width = 1
        for piece in reversed(self._pieces):
            line = piece.rpartition("\n")
            width += len(line[2])
            if line[1]:
                break
        return width

    def text(self) -> str:
        """Everything so far."""
        self._flush()
        return "".join(self._pieces)

    def _flush(self) -> None:
        if self._end > self._start:
            self._pieces.append(self._source[self._start : self._end])
        self._start = self._end


def write(root: Element, wraps: Mapping[Element, str] | None = None) -> str:
    """The text of a tree. Fresh elements and changed start tags are spelled anew, the rest is copied.

    `wraps` gives, for elements with attributes whose place is undecided, what to put before one that would make
    its line longer than 159 characters; without it such an attribute stands as its left neighbour does.
    """
    writer = _Writer(wraps)
    waiting: list[Node | _Span | _End] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _End):
            writer.end(node.element)
        elif isinstance(node, Element):
            if node.name:
                writer.start(node)
                waiting.append(_End(node))
            waiting.extend(reversed(_pieces(node)))
        else:
            writer.output.copy(node.source, node.start, node.end)
    return writer.output.text()


class _Span:
    """A part of a source that is written as it is."""

    __slots__ = ("end", "source", "start")

    def __init__(self, source: str, start: int, end: int) -> None:
        self.source = source
        self.start = start
        self.end = end


def _pieces(element: Element) -> list[Node | _Span | _End]:
    """What is inside an element: the elements that were touched, and between them what is copied."""
    pieces: list[Node | _Span | _End] = []
    source, start = element.source, element.tag_end
    end = start if element.filled or element.fresh else None
    node = element.first
    while node is not None:
        if isinstance(node, Element) and (node.touched or node.fresh):
            pieces += [_Span(source, start, node.start if end is None else end), node]
            source, start = (element.source, node.end) if end is None else (node.source, node.end)
            end = None if end is None else start
        elif end is not None:
            if node.source is not source or node.start != end:
                pieces.append(_Span(source, start, end))
                source, start = node.source, node.start
            end = node.end
        node = node.next
    pieces.append(_Span(source, start, element.close if end is None else end))
    return pieces


class _End:
    """A mark on the stack: here an element ends."""

    __slots__ = ("element",)

    def __init__(self, element: Element) -> None:
        self.element = element


class _Writer:
    def __init__(self, wraps: Mapping[Element, str] | None) -> None:
        self.output = Output()
        self._wraps = wraps
        self._prefixes = Prefixes(keep=True)
        self._names: list[str] = []

    def start(self, element: Element) -> None:
        if not element.fresh and not element.retagged:
            self._copied_start(element)
            return
        if element.fresh:
            prefix = element.name.rpartition(":")[0]
            name = self._prefixes.element(prefix, element.local, element.namespace or "")
        else:
            self._prefixes.enter()
            name = element.name
            self._declare(element)
        self._names.append(name)
        self.output.put(f"<{name}")
        for attribute in element.attributes:
            self._attribute(element, attribute)
        self.output.put(self._tag_end(element))

    def end(self, element: Element) -> None:
        name = self._names.pop()
        self._prefixes.leave()
        if element.fresh or element.was_self_closed:
            if not element.self_closed:
                self.output.put(f"</{name}>")
        else:
            self.output.copy(element.source, element.close, element.end)

    def _copied_start(self, element: Element) -> None:
        self._prefixes.enter()
        self._declare(element)
        self._names.append(element.name)
        if element.was_self_closed and not element.self_closed:
            self.output.put(element.source[element.start : element.tag_end - 2].rstrip() + ">")
        else:
            self.output.copy(element.source, element.start, element.tag_end)

    def _declare(self, element: Element) -> None:
        if element.may_declare():
            for attribute in element.attributes:
                if attribute.declares is not None:
                    self._prefixes.declare(attribute.declares, attribute.value)

    def _attribute(self, element: Element, attribute: Attribute) -> None:
        name = attribute.name
        if attribute.namespace is not None:
            name = self._prefixes.attribute(attribute.name.rpartition(":")[0], attribute.local, attribute.namespace)
        text = f"{name}{attribute.equals}{attribute.quote}{attribute.raw}{attribute.quote}"
        before = attribute.before
        if before is None:
            before = self._space(element, attribute, len(text))
        self.output.put(before + text)

    def _space(self, element: Element, attribute: Attribute, width: int) -> str:
        if self._wraps is not None:
            return self._wraps.get(element, " ") if self.output.column() + width + 1 > WIDTH else " "
        index = element.attributes.index(attribute)
        return element.attributes[index - 1].before or " " if index > 1 else " "

    def _tag_end(self, element: Element) -> str:
        missing = "".join(f' {name}="{escape_attribute(uri)}"' for name, uri in self._prefixes.missing())
        tail = element.tail or ""
        if element.was_self_closed and not element.self_closed:
            tail = tail.rstrip()
        return f"{tail}{missing}{'/>' if element.self_closed else '>'}"
