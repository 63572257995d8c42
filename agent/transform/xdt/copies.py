"""What of the transform file goes into the target: copies without XDT's attributes, declarations and indentation."""

from __future__ import annotations

from typing import Final

from agent.transform.xml.characters import decode, escape_attribute, escape_text
from agent.transform.xml.document import XmlDocument
from agent.transform.xml.namespaces import namespace_of, prefixes_of
from agent.transform.xml.nodes import Attribute, Element, Leaf, append

NAMESPACE: Final = "http://schemas.microsoft.com/XML-Document-Transform"
_SPACE: Final = " \t\n\r"


def copy_of(element: Element, document: XmlDocument) -> Element:
    """A fresh copy of an element of the transform `document`, with all below it."""
    prefixes = prefixes_of(element)
    copy = _shallow(element, prefixes, document)
    waiting = [(element, copy, prefixes, _keeps_space(element))]
    while waiting:
        original, parent, prefixes, keep = waiting.pop()
        for child in original.children():
            if isinstance(child, Leaf):
                leaf = _leaf(child, document, keep=keep)
                if leaf is not None:
                    append(parent, leaf)
                continue
            inner = prefixes_of(child) if child.may_declare() else prefixes
            below = _shallow(child, inner, document)
            append(parent, below)
            waiting.append((child, below, inner, _own_space(child, keep=keep)))
    return copy


def attributes_of(element: Element, document: XmlDocument, owner: Element) -> list[Attribute]:
    """Copies of an element's attributes for another: names lose their prefix and keep their namespace."""
    return _attributes(element, prefixes_of(element), document, owner)


def _shallow(element: Element, prefixes: dict[str, str], document: XmlDocument) -> Element:
    copy = Element(element.name, element.source, element.start, element.tag_end, self_closed=element.self_closed)
    copy.end = element.end
    copy.fresh = copy.touched = True
    copy.namespace = namespace_of(element, prefixes)
    copy.attributes.extend(_attributes(element, prefixes, document, copy))
    return copy


def _attributes(element: Element, prefixes: dict[str, str], document: XmlDocument, owner: Element) -> list[Attribute]:
    copies = []
    for attribute in element.attributes:
        namespace = namespace_of(attribute, prefixes)
        if namespace == NAMESPACE or attribute.declares is not None:
            continue
        raw = escape_attribute(document.value(attribute))
        copies.append(Attribute(owner, attribute.local, raw, namespace=namespace))
    return copies


def _leaf(leaf: Leaf, document: XmlDocument, *, keep: bool) -> Leaf | None:
    """Text that is nothing but space is dropped, unless `xml:space` keeps it or references spell it."""
    if leaf.kind == "reference":
        raw = escape_text(decode(leaf.raw, document.entities))
        return Leaf("text", raw, 0, len(raw))
    if leaf.kind == "text" and not keep and not leaf.raw.strip(_SPACE):
        return None
    copy = Leaf(leaf.kind, leaf.source, leaf.start, leaf.end)
    if leaf.kind == "text" and not leaf.value.strip(_SPACE):
        copy.significant = keep
    return copy


def _keeps_space(element: Element) -> bool:
    one: Element | None = element
    while one is not None:
        space = one.attribute("xml:space") if one.name else None
        if space is not None:
            return space.value == "preserve"
        one = one.parent
    return False


def _own_space(element: Element, *, keep: bool) -> bool:
    space = element.attribute("xml:space")
    return keep if space is None else space.value == "preserve"
