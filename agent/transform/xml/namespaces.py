"""Which prefix means what at an element, read from the declarations above it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from agent.transform.xml.nodes import Attribute, Element

XML: Final = "http://www.w3.org/XML/1998/namespace"
XMLNS: Final = "http://www.w3.org/2000/xmlns/"


def prefixes_of(element: Element) -> dict[str, str]:
    """The namespaces in scope at an element of the document, by prefix; the default one by ``, if it is bound."""
    above: list[Element] = []
    one: Element | None = element
    while one is not None:
        if one.may_declare():
            above.append(one)
        one = one.parent
    found: dict[str, str] = {"xml": XML}
    for one in reversed(above):
        for attribute in one.attributes:
            prefix = attribute.declares
            if prefix is not None:
                found[prefix] = attribute.value
    return {prefix: uri for prefix, uri in found.items() if uri}


def namespace_of(node: Element | Attribute, prefixes: Mapping[str, str]) -> str:
    """The namespace of an element or attribute under the prefixes in scope; `` for none."""
    if node.namespace is not None:
        return node.namespace
    prefix, colon, _ = node.name.rpartition(":")
    if isinstance(node, Attribute):
        if node.declares is not None:
            return XMLNS
        return prefixes.get(prefix, "") if colon else ""
    return prefixes.get(prefix, "")


def clark_name(node: Element | Attribute, prefixes: Mapping[str, str]) -> str:
    """The name as `{uri}local`, or just the local name."""
    uri = namespace_of(node, prefixes)
    return f"{{{uri}}}{node.local}" if uri else node.local


def declared_prefixes(elements: Iterable[Element]) -> Iterator[tuple[str, str]]:
    """Every (prefix, uri) that the elements declare with a prefix, in order, repetitions left in."""
    for element in elements:
        if element.may_declare():
            for attribute in element.attributes:
                if attribute.declares:
                    yield attribute.declares, attribute.value
