"""The document's twin in lxml, so that XPath runs in C.

lxml parses the text first and is the judge of its form. Its nodes and ours are then paired in document order; edits
go to both. Text and CDATA that touch are one run of text here, as XPath sees them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, cast

import msgspec
from lxml import etree

from agent.transform.xml.errors import XmlError
from agent.transform.xml.namespaces import clark_name, prefixes_of
from agent.transform.xml.nodes import Attribute, Element, Leaf, Node

MAXIMUM_CHARACTERS: Final = 100_000_000
MAXIMUM_MARKUP: Final = 2_500_000

LxmlNode = etree._Element


class TextRun(msgspec.Struct, frozen=True, kw_only=True):
    """The text and CDATA nodes that follow `after`, or begin `parent`, up to the next other node."""

    parent: Element
    after: Node | None

    def pieces(self) -> list[Leaf]:
        """The nodes of the run."""
        self.parent.fill()
        found: list[Leaf] = []
        node = self.parent.first if self.after is None else self.after.next
        while isinstance(node, Leaf) and node.kind in {"text", "cdata"}:
            found.append(node)
            node = node.next
        return found


Found = Element | Leaf | Attribute | TextRun


class SmartString(Protocol):
    """What lxml gives for a text or attribute node."""

    is_attribute: bool
    is_tail: bool
    attrname: str | None

    def getparent(self) -> LxmlNode | None: ...


def parse_strictly(text: str) -> LxmlNode:
    """The lxml tree of a text whose DOCTYPE was checked. XmlError if it is not well-formed, too deep or too big."""
    if len(text) > MAXIMUM_CHARACTERS or text.count("<") > MAXIMUM_MARKUP:
        raise XmlError("the file is too large for an XML configuration file; take it out of the targets")
    try:
        return cast(LxmlNode, etree.fromstring(text.encode("utf-8"), _parser()))
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        column = error.start - text.rfind("\n", 0, error.start)
        raise XmlError("a byte that is wrong in the file's encoding; save the file again", line, column) from error
    except etree.XMLSyntaxError as error:
        raise _as_xml_error(error) from error


class Mirror:
    """The lxml tree, paired with ours when first asked."""

    def __init__(self, top: LxmlNode, mirrored: Sequence[Node]) -> None:
        self.top: LxmlNode | None = top
        self._mirrored = mirrored
        self._twins: list[LxmlNode] = []
        self._nodes: dict[LxmlNode, Node] = {}

    @property
    def size(self) -> int:
        """How many nodes, text aside, the document has or had."""
        return max(len(self._twins), len(self._mirrored))

    def twin(self, node: Node) -> LxmlNode:
        """lxml's node for one of ours."""
        self._pair()
        return self._twins[node.index]

    def node(self, twin: LxmlNode) -> Node:
        """Our node for one of lxml's."""
        self._pair()
        return self._nodes[twin]

    def add(self, node: Node, twin: LxmlNode) -> None:
        """Pair two new nodes."""
        self._pair()
        node.index = len(self._twins)
        self._twins.append(twin)
        self._nodes[twin] = node

    def found(self, results: Sequence[object]) -> list[Found]:
        """Our nodes for what an XPath gave, in its order. Namespace nodes are left out."""
        self._pair()
        return [found for result in results if (found := self._found(result)) is not None]

    def run_of(self, parent: LxmlNode, *, tail: bool) -> TextRun:
        """The text at the beginning of an element, or after a node."""
        node = self.node(parent)
        if tail:
            assert node.parent is not None
            return TextRun(parent=node.parent, after=node)
        assert isinstance(node, Element)
        return TextRun(parent=node, after=None)

    def _found(self, result: object) -> Found | None:
        if isinstance(result, LxmlNode):
            return self._nodes[result]
        if isinstance(result, str):
            smart = cast(SmartString, result)
            parent = smart.getparent()
            if parent is None:
                return None
            if smart.is_attribute and smart.attrname is not None:
                return self.attribute(parent, smart.attrname)
            return self.run_of(parent, tail=smart.is_tail)
        return None

    def attribute(self, owner: LxmlNode, name: str) -> Attribute | None:
        """Our attribute for lxml's `{uri}name`; None for one that a document type supplies."""
        element = self.node(owner)
        assert isinstance(element, Element)
        if name[0] != "{":
            return element.attribute(name)
        prefixes = prefixes_of(element)
        return next((each for each in element.attributes if clark_name(each, prefixes) == name), None)

    def _pair(self) -> None:
        if self._twins or self.top is None:
            return
        top = self.top
        above = list(top.itersiblings(preceding=True))
        self._twins = [*reversed(above), *top.iter(), *top.itersiblings()]
        if len(self._twins) != len(self._mirrored):
            raise XmlError("the file is XML of a kind that cannot be changed safely; please report it")
        self._nodes = dict(zip(self._twins, self._mirrored, strict=True))


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False,
        attribute_defaults=False, huge_tree=False, recover=False, collect_ids=False,
    )  # fmt: skip


def _as_xml_error(error: etree.XMLSyntaxError) -> XmlError:
    line, column = error.position
    message = (error.msg or "it is not well-formed").partition(", line ")[0]
    if "depth" in message:
        message = "the elements nest too deeply (more than 256 levels)"
    return XmlError(message, line, max(column, 1))
