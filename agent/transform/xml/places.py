"""Where a node is, in words: `/configuration/appSettings/add[2]/@value`."""

from __future__ import annotations

from collections import Counter
from typing import Final

from agent.transform.xml.mirror import Found, TextRun
from agent.transform.xml.nodes import Attribute, Element, Leaf, Node

_FEW: Final = 4


class Places:
    """Paths of nodes. Where many are asked for below one parent, its children are counted once, for all of them."""

    def __init__(self) -> None:
        self._asked: Counter[Element] = Counter()
        self._steps: dict[Element, dict[Node, str]] = {}

    def of(self, found: Found) -> str:
        """The path of a node; of one that is not in the document, its name."""
        if isinstance(found, Attribute):
            return f"{self.of(found.owner)}/@{found.name}"
        if isinstance(found, TextRun):
            return f"{self.of(found.parent)}/text()"
        steps: list[str] = []
        node: Node | None = found
        while node is not None and (node.parent is not None or not steps):
            steps.append(self._step(node))
            node = node.parent
        return "/" + "/".join(reversed(steps))

    def _step(self, node: Node) -> str:
        parent = node.parent
        if parent is None:
            return _kind(node)
        self._asked[parent] += 1
        if parent not in self._steps:
            if self._asked[parent] < _FEW:
                return _counted_alone(node, parent)
            self._steps[parent] = _counted(parent)
        return self._steps[parent].get(node) or _kind(node)


def _counted_alone(node: Node, parent: Element) -> str:
    kind = _kind(node)
    if isinstance(node, Element):
        alike: list[Node] = [child for child in parent.elements() if child.name == kind]
    else:
        alike = [child for child in parent.children() if _kind(child) == kind]
    return f"{kind}[{alike.index(node) + 1}]" if len(alike) > 1 else kind


def _counted(parent: Element) -> dict[Node, str]:
    children = [(child, _kind(child)) for child in parent.children()]
    totals = Counter(kind for _, kind in children)
    seen: Counter[str] = Counter()
    steps: dict[Node, str] = {}
    for child, kind in children:
        seen[kind] += 1
        steps[child] = f"{kind}[{seen[kind]}]" if totals[kind] > 1 else kind
    return steps


def _kind(node: Node) -> str:
    if isinstance(node, Element):
        return node.name
    match node.kind:
        case "comment":
            return "comment()"
        case "instruction":
            return f"processing-instruction({node.name})"
        case _:
            return "text()"


def spelling(node: Element | Leaf) -> str:
    """A node as it was written where it came from."""
    return node.source[node.start : node.end]
