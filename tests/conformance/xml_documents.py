"""When two XML files are the same document: expanded names, unordered attributes, text, comments, instructions.

Whitespace-only text does not count, nor do byte order marks, encodings, and kinds of newlines.
"""

from __future__ import annotations

import re

from lxml import etree

from agent.transform.xml.files import read_xml

Canonical = tuple[object, ...]


def same_document(one: bytes, other: bytes) -> bool:
    """Whether two files are the same document."""
    return canonical(text_of(one)) == canonical(text_of(other))


def text_of(data: bytes) -> str:
    """A file's text with plain newlines."""
    return read_xml(data).text.replace("\r\n", "\n")


def canonical(text: str) -> Canonical:
    """What a document says. A text without an element is compared as it is."""
    if not re.search(r"<[^?!]", text):
        return (text.strip(),)
    parser = etree.XMLParser(encoding="utf-8", resolve_entities=False, no_network=True)
    top = etree.fromstring(text.encode("utf-8"), parser)
    around = [*reversed(list(top.itersiblings(preceding=True))), top, *top.itersiblings()]
    return tuple(_canonical(node) for node in around)


def _canonical(node: etree._Element) -> Canonical:
    if isinstance(node, etree._Comment | etree._ProcessingInstruction | etree._Entity):
        return (type(node).__name__, str(getattr(node, "target", "")), node.text or "")
    content: list[object] = []
    _add_text(content, node.text)
    for child in node:
        content.append(_canonical(child))
        _add_text(content, child.tail)
    return (node.tag, frozenset(node.attrib.items()), tuple(content))


def _add_text(content: list[object], text: str | None) -> None:
    if text and text.strip(" \t\r\n"):
        content.append(text)
