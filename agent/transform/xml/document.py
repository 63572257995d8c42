"""A document that can be asked by XPath, edited in single places, and written with every other byte as it was."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property

from agent.transform.xml import twins
from agent.transform.xml.characters import cdata, decode, escape_attribute, escape_text
from agent.transform.xml.doctype import check_doctype
from agent.transform.xml.mirror import Mirror, TextRun, parse_strictly
from agent.transform.xml.namespaces import clark_name, prefixes_of
from agent.transform.xml.nodes import Attribute, Element, Leaf, Node, detach, insert, touch
from agent.transform.xml.scan import scan

_NEWLINE = re.compile(r"\r\n|\n|\r")


def parse(text: str) -> XmlDocument:
    """The document of a text. XmlError if it is not well-formed, or refused: see `doctype.py` and `mirror.py`."""
    entities = check_doctype(text)
    top = parse_strictly(text)
    scanned = scan(text, has_entities=bool(entities) or "<!DOCTYPE" in text)
    return XmlDocument(text, scanned.root, Mirror(top, scanned.mirrored), scanned.mirrored, entities)


class XmlDocument:
    """The tree under `root` (which is no element itself), its mirror, and the edits that keep both alike."""

    def __init__(
        self, text: str, root: Element, mirror: Mirror, mirrored: Sequence[Node], entities: Mapping[str, str]
    ) -> None:
        self.text = text
        self.root = root
        self.mirror = mirror
        self.entities = entities
        self.read_elements = tuple(node for node in mirrored if isinstance(node, Element))

    @property
    def top(self) -> Element | None:
        """The document element; None once it has been removed."""
        return next(self.root.elements(), None)

    @cached_property
    def positions(self) -> Positions:
        """Lines and columns of the text as it was read."""
        return Positions(self.text)

    def value(self, attribute: Attribute) -> str:
        """An attribute's value, the document's entities resolved."""
        return decode(attribute.raw, self.entities)

    def text_of(self, element: Element) -> str:
        """All text inside an element."""
        return "".join(map(str, self.mirror.twin(element).itertext()))

    def set_attribute(self, attribute: Attribute, value: str) -> None:
        """Give an attribute another value; its quotes stay."""
        if self.value(attribute) == value:
            return
        attribute.raw = escape_attribute(value, attribute.quote)
        attribute.owner.retag()
        twins.set_attribute(self.mirror, attribute.owner, self._clark(attribute), value)

    def add_attribute(self, element: Element, name: str, value: str, namespace: str = "") -> Attribute:
        """Append an attribute; where it goes on the page is decided when it is written.

        One of the same local name and namespace, by another prefix, is dropped.
        """
        attribute = Attribute(element, name, escape_attribute(value), namespace=namespace)
        clark = self._clark(attribute)
        if namespace:
            prefixes = prefixes_of(element)
            element.attributes[:] = [each for each in element.attributes if clark_name(each, prefixes) != clark]
        element.attributes.append(attribute)
        element.retag()
        twins.set_attribute(self.mirror, element, clark, value)
        return attribute

    def remove_attribute(self, attribute: Attribute) -> None:
        """Remove an attribute from its element."""
        twins.remove_attribute(self.mirror, attribute.owner, self._clark(attribute))
        attribute.owner.attributes.remove(attribute)
        attribute.owner.retag()

    def set_run(self, run: TextRun, value: str) -> None:
        """Give a run of text another value. A CDATA section stays one; of several pieces one is left."""
        pieces = run.pieces()
        if not pieces:
            return
        first, *others = pieces
        if not others and first.value == value:
            return
        first.respell(cdata(value) if first.kind == "cdata" else escape_text(value))
        for other in others:
            detach(other)
        twins.set_run(self.mirror, run, value)

    def set_leaf(self, leaf: Leaf, raw: str, value: str) -> None:
        """Spell a comment or an instruction otherwise."""
        if leaf.value != value:
            leaf.respell(raw)
            self.mirror.twin(leaf).text = value

    def set_content(self, element: Element, value: str) -> None:
        """Make an element hold nothing but a text; an only CDATA section stays one."""
        element.fill()
        only = element.first
        if isinstance(only, Leaf) and only is element.last and only.kind in {"text", "cdata"} and only.value == value:
            return
        is_cdata = isinstance(only, Leaf) and only.kind == "cdata" and only is element.last
        raw = cdata(value) if is_cdata else escape_text(value)
        for child in list(element.children()):
            detach(child)
        if raw:
            insert(element, Leaf("cdata" if is_cdata else "text", raw, 0, len(raw)), None)
        twins.set_content(self.mirror, element, value)

    def set_markup(self, element: Element, markup: str) -> None:
        """Make an element hold a fragment of XML, under the prefixes in its scope. XmlError if it is none."""
        prefixes = prefixes_of(element)
        declared = "".join(
            f' xmlns{":" * bool(prefix)}{prefix}="{escape_attribute(uri)}"'
            for prefix, uri in prefixes.items()
            if prefix != "xml"
        )
        wrapped = f"<fragment{declared}>{markup}</fragment>"
        top = parse_strictly(wrapped)
        scanned = scan(wrapped)
        wrapper = scanned.root.first
        assert isinstance(wrapper, Element)
        for child in list(element.children()):
            detach(child)
        for child in list(wrapper.children()):
            insert(element, child, None)
        touch(element)
        twins.replace_content(self.mirror, element, top, scanned.mirrored)

    def insert(self, parent: Element, node: Element | Leaf, before: Node | None) -> None:
        """Put a new element, comment or instruction in place."""
        insert(parent, node, before)
        if parent.name:
            twins.insert_twin(self.mirror, node)
        elif isinstance(node, Element):
            twins.set_top(self.mirror, node)
        else:
            twins.insert_around_top(self.mirror, node)

    def remove(self, node: Element | Leaf) -> None:
        """Take a node out; the space around it stays."""
        parent = node.parent
        if parent is None:
            return
        run = self._run_of(node)
        if node.index >= 0 and parent.name:
            twins.remove_twin(self.mirror, node)
        elif isinstance(node, Element):
            twins.set_top(self.mirror, None)
        elif node.index >= 0:
            twins.remove_around_top(self.mirror, node)
        detach(node)
        if run is not None:
            twins.set_run(self.mirror, run, "".join(piece.value for piece in run.pieces()))

    @staticmethod
    def _run_of(node: Element | Leaf) -> TextRun | None:
        """The run that a text or CDATA node is part of."""
        if isinstance(node, Element) or node.kind not in {"text", "cdata"} or not node.parent or not node.parent.name:
            return None
        node.parent.fill()
        after = node.previous
        while isinstance(after, Leaf) and after.kind in {"text", "cdata"}:
            after = after.previous
        return TextRun(parent=node.parent, after=after)

    def _clark(self, attribute: Attribute) -> str:
        return clark_name(attribute, prefixes_of(attribute.owner))


class Positions:
    """Where an offset lies in a text: line and column from 1. CRLF, LF and CR each end a line."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in _NEWLINE.finditer(text))]

    def at(self, offset: int) -> tuple[int, int]:
        """The line and column of an offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1
