"""Elements as .NET's plain writer puts them, without any memory of how they stood: for comments, and reformatting."""

from __future__ import annotations

from agent.transform.xdt.spelling import attribute_spelling, leaf_spelling
from agent.transform.xml.characters import reference_attribute
from agent.transform.xml.namespaces import namespace_of, prefixes_of
from agent.transform.xml.nodes import Element, Leaf
from agent.transform.xml.prefixes import Prefixes


def outer_xml(node: Element | Leaf) -> str:
    """A node on its own: double quotes, single spaces, `<x />`, and every namespace that it needs declared."""
    return leaf_spelling(node) if isinstance(node, Leaf) else PlainWriter().element(node)


class PlainWriter:
    """Writes elements, each after the other, with the namespaces of those that are open."""

    def __init__(self) -> None:
        self.prefixes = Prefixes()

    def element(self, element: Element) -> str:
        """An element and all below it."""
        pieces: list[str] = []
        waiting: list[Element | Leaf | str] = [element]
        while waiting:
            node = waiting.pop()
            if isinstance(node, str):
                pieces.append(node)
                self.prefixes.leave()
            elif isinstance(node, Leaf):
                pieces.append(leaf_spelling(node))
            else:
                name, tag = self.start(node)
                pieces.append(tag)
                waiting.append("" if node.self_closed else f"</{name}>")
                waiting.extend(reversed(list(node.children())))
        return "".join(pieces)

    def start(self, element: Element) -> tuple[str, str]:
        """An element's name as written, and its start tag; the caller leaves the element in `prefixes`."""
        scope = prefixes_of(element)
        uri = namespace_of(element, scope)
        name = self.prefixes.element(element.name.rpartition(":")[0], element.local, uri)
        tag = f"<{name}"
        for attribute in element.attributes:
            written = attribute.name
            if attribute.declares is not None:
                self.prefixes.declare(attribute.declares, attribute.value)
            else:
                prefix = attribute.name.rpartition(":")[0]
                written = self.prefixes.attribute(prefix, attribute.local, namespace_of(attribute, scope))
            tag += f' {written}="{attribute_spelling(attribute.raw)}"'
        for missing, namespace in self.prefixes.missing():
            tag += f' {missing}="{reference_attribute(namespace)}"'
        return name, tag + (" />" if element.self_closed else ">")
