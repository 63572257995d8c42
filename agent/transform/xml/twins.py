"""Edits of the mirror: each keeps every other text where it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from lxml import etree

from agent.transform.xml.mirror import LxmlNode, Mirror, TextRun
from agent.transform.xml.nodes import Element, Leaf, Node


def set_run(mirror: Mirror, run: TextRun, value: str) -> None:
    """Give a run of text another value."""
    if run.after is None:
        mirror.twin(run.parent).text = value
    else:
        mirror.twin(run.after).tail = value


def set_content(mirror: Mirror, element: Element, value: str) -> None:
    """Make an element hold nothing but a text."""
    twin = mirror.twin(element)
    for child in list(twin):
        twin.remove(child)
    twin.text = value


def set_attribute(mirror: Mirror, element: Element, name: str, value: str) -> None:
    """Set an attribute by its `{uri}name`."""
    mirror.twin(element).set(name, value)


def remove_attribute(mirror: Mirror, element: Element, name: str) -> None:
    """Remove an attribute by its `{uri}name`."""
    mirror.twin(element).attrib.pop(name, "")


def insert_twin(mirror: Mirror, node: Element | Leaf) -> None:
    """Put the twin of a node, new and already in its place below an element, into the same place."""
    pairs = list(_build(node))
    twin = pairs[0][1]
    after = _mirrored_before(node)
    following = _text_after(node)
    assert node.parent is not None
    if after is not None:
        _put_after(mirror.twin(after), twin, following)
    else:
        _put_first(mirror.twin(node.parent), twin, following)
    for one, its in pairs:
        mirror.add(one, its)


def remove_twin(mirror: Mirror, node: Node) -> None:
    """Take the twin of a node out, and leave the text behind it."""
    twin = mirror.twin(node)
    parent = twin.getparent()
    if parent is None:
        return
    if twin.tail:
        previous = twin.getprevious()
        if previous is not None:
            previous.tail = (previous.tail or "") + twin.tail
        else:
            parent.text = (parent.text or "") + twin.tail
    parent.remove(twin)


def set_top(mirror: Mirror, element: Element | None) -> None:
    """Make another element the document's, or leave it without one; what stands around it stays."""
    if element is None:
        mirror.top = None
        return
    pairs = list(_build(element))
    mirror.top = pairs[0][1]
    for one, its in pairs:
        mirror.add(one, its)
    _arrange(mirror, element)


def insert_around_top(mirror: Mirror, leaf: Leaf) -> None:
    """Put the twin of a comment or an instruction, new and in its place, beside the document element."""
    mirror.add(leaf, _leaf_twin(leaf))
    if mirror.top is not None:
        top = mirror.node(mirror.top)
        assert isinstance(top, Element)
        _arrange(mirror, top)


def remove_around_top(mirror: Mirror, leaf: Leaf) -> None:
    """Take out the twin of a comment or an instruction beside the document element."""
    etree.Element("elsewhere").append(mirror.twin(leaf))


def _arrange(mirror: Mirror, element: Element) -> None:
    """Put what stands around the document element in order."""
    assert element.parent is not None
    top = last = mirror.twin(element)
    above = True
    for node in element.parent.children():
        if node is element:
            above = False
        elif node.index >= 0 and above:
            top.addprevious(mirror.twin(node))
        elif node.index >= 0:
            last.addnext(mirror.twin(node))
            last = mirror.twin(node)


def replace_content(mirror: Mirror, element: Element, top: LxmlNode, nodes: Iterable[Node]) -> None:
    """Give an element the content of `top`, whose nodes pair with `nodes`; both begin with `top` itself."""
    pairs = list(zip(nodes, top.iter(), strict=True))[1:]
    twin = mirror.twin(element)
    for child in list(twin):
        twin.remove(child)
    twin.text = top.text
    for child in list(top):
        twin.append(child)
    for node, its in pairs:
        mirror.add(node, its)


def _build(node: Element | Leaf) -> Iterator[tuple[Node, LxmlNode]]:
    if isinstance(node, Leaf):
        yield node, _leaf_twin(node)
        return
    top = _element_twin(node)
    yield node, top
    waiting = [(node, top)]
    while waiting:
        element, twin = waiting.pop()
        last: LxmlNode | None = None
        for child in element.children():
            if isinstance(child, Leaf) and child.kind in {"text", "cdata"}:
                _add_text(twin, last, child.value)
                continue
            last = _element_twin(child) if isinstance(child, Element) else _leaf_twin(child)
            twin.append(last)
            yield child, last
            if isinstance(child, Element):
                waiting.append((child, last))


def _add_text(twin: LxmlNode, last: LxmlNode | None, value: str) -> None:
    if last is None:
        twin.text = (twin.text or "") + value
    else:
        last.tail = (last.tail or "") + value


def _element_twin(element: Element) -> LxmlNode:
    uri = element.namespace or ""
    prefix = element.name.rpartition(":")[0] or None
    if not uri:
        twin = etree.Element(element.local)
    else:
        twin = etree.Element(f"{{{uri}}}{element.local}", nsmap=cast("dict[str, str]", {prefix: uri}))
    for attribute in element.attributes:
        name = f"{{{attribute.namespace}}}{attribute.local}" if attribute.namespace else attribute.local
        twin.set(name, attribute.value)
    return twin


def _leaf_twin(leaf: Leaf) -> LxmlNode:
    if leaf.kind == "comment":
        return etree.Comment(leaf.value)
    if leaf.kind == "instruction":
        return etree.ProcessingInstruction(leaf.name, leaf.value)
    return cast(LxmlNode, etree.Entity(leaf.name))


def _mirrored_before(node: Node) -> Node | None:
    before = node.previous
    while before is not None and before.index < 0:
        before = before.previous
    return before


def _text_after(node: Node) -> str:
    """The text that follows a node, with newlines as lxml has them."""
    pieces = []
    following = node.next
    while isinstance(following, Leaf) and following.index < 0:
        pieces.append(following.value.replace("\r\n", "\n").replace("\r", "\n"))
        following = following.next
    return "".join(pieces)


def _put_after(before: LxmlNode, twin: LxmlNode, following: str) -> None:
    tail = before.tail or ""
    before.addnext(twin)
    before.tail = tail[: len(tail) - len(following)] or None
    twin.tail = following or None


def _put_first(parent: LxmlNode, twin: LxmlNode, following: str) -> None:
    text = parent.text or ""
    parent.insert(0, twin)
    parent.text = text[: len(text) - len(following)] or None
    twin.tail = following or None
