"""Writing a target as the reference engine saves it: every tag spelled anew, the layout of old ones remembered.

The other writer, `agent/transform/xml/write.py`, copies what was not touched. This one is for those who compare
files with what .NET's tools made of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent.transform.xdt.spelling import attribute_spelling, leaf_spelling
from agent.transform.xml.characters import reference_attribute
from agent.transform.xml.document import XmlDocument
from agent.transform.xml.namespaces import namespace_of, prefixes_of
from agent.transform.xml.nodes import Attribute, Element, Leaf, Node
from agent.transform.xml.prefixes import Prefixes
from agent.transform.xml.write import WIDTH, Output

_PLAIN_TAG = re.compile(r"""<[^\s/>"'&=:]+(?:\s+[^\s=/>"'&:]+="[^"&<>\n\r]*")*\s*/?>""")
_SINGLE_QUOTED = re.compile(r"<[^<>]*?=\s*'([^'<]*)'")
_PLAIN_TEXT = re.compile(r"[^&>]*")


def write_as_reference(root: Element, wraps: Mapping[Element, str]) -> str:
    """The text of a tree that has been laid out; `wraps` as `indentation.indent` gives it."""
    writer = _Writer(wraps)
    waiting: list[Node | _End] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _End):
            writer.end(node)
        elif isinstance(node, Leaf):
            writer.leaf(node)
        else:
            if node.name and (end := writer.start(node)):
                waiting.append(end)
            if node.first is not None:
                waiting.extend(reversed(list(node.children())))
    return writer.output.text()


def forget_layout(document: XmlDocument) -> None:
    """Drop the memory of how start tags stood where the reference's loader loses it.

    That is behind a single-quoted value with an odd number of double quotes, and in files whose lines end in CR only.
    """
    position = 0 if "\r" in document.text and "\n" not in document.text else len(document.text)
    for found in _SINGLE_QUOTED.finditer(document.text):
        if found.group(1).count('"') % 2:
            position = min(position, found.start())
    for element in document.read_elements:
        if element.tag_end > position and element.attributes:
            element.record, element.tail = (), None
            for attribute in element.attributes:
                attribute.before = None
            element.retag()


class _End:
    """A mark on the stack: here an element ends."""

    __slots__ = ("element", "name", "scope")

    def __init__(self, element: Element, name: str, scope: dict[str, str]) -> None:
        self.element = element
        self.name = name
        self.scope = scope


class _Writer:
    def __init__(self, wraps: Mapping[Element, str]) -> None:
        self.output = Output()
        self._wraps = wraps
        self._prefixes = Prefixes()
        self._scope: dict[str, str] = {}

    def leaf(self, leaf: Leaf) -> None:
        if leaf.kind in {"comment", "cdata", "reference"} or (
            leaf.kind == "text" and _PLAIN_TEXT.fullmatch(leaf.source, leaf.start, leaf.end)
        ):
            self.output.copy(leaf.source, leaf.start, leaf.end)
        else:
            self.output.put(leaf_spelling(leaf))

    def start(self, element: Element) -> _End | None:
        """Write a start tag; the mark for the end, if there is anything to end."""
        if self._prefixes.are_plain and self._stands(element) and not element.may_declare():
            self.output.copy(element.source, element.start, element.tag_end)
            if element.self_closed:
                return None
            self._prefixes.enter()
            return _End(element, element.name, self._scope)
        end = _End(element, element.name, self._scope)
        if not element.fresh and element.may_declare():
            self._scope = prefixes_of(element)
        prefix = element.name.rpartition(":")[0]
        end.name = name = self._prefixes.element(prefix, element.local, namespace_of(element, self._scope))
        if name == element.name and self._stands(element) and not self._prefixes.missing():
            self.output.copy(element.source, element.start, element.tag_end)
            return end
        self.output.put(f"<{name}")
        for attribute in element.attributes:
            self._attribute(element, attribute)
        missing = "".join(f' {name}="{reference_attribute(uri)}"' for name, uri in self._prefixes.missing())
        self.output.put(f"{element.tail or ''}{missing}{'/>' if element.self_closed else '>'}")
        return end

    def end(self, end: _End) -> None:
        self._prefixes.leave()
        self._scope = end.scope
        if not end.element.self_closed:
            self.output.put(f"</{end.name}>")

    def _stands(self, element: Element) -> bool:
        """Whether a start tag is already spelled as it would be."""
        if element.fresh or element.retagged or element.was_self_closed != element.self_closed:
            return False
        return _PLAIN_TAG.fullmatch(element.source, element.start, element.tag_end) is not None

    def _attribute(self, element: Element, attribute: Attribute) -> None:
        name = attribute.name
        value = attribute_spelling(attribute.raw)
        if attribute.declares is None:
            prefix = attribute.name.rpartition(":")[0]
            name = self._prefixes.attribute(prefix, attribute.local, namespace_of(attribute, self._scope))
        text = f'{name}="{value}"'
        before = attribute.before
        if before is None:
            wraps = self.output.column() + len(text) + 1 > WIDTH
            before = self._wraps.get(element, " ") if wraps else " "
        self.output.put(before + text)
        if attribute.declares is not None:
            self._prefixes.declare(attribute.declares, attribute.value)
