"""Writing a target without its own layout, the reference engine's other mode: indented by two."""

from __future__ import annotations

from agent.transform.xdt.plain import PlainWriter
from agent.transform.xdt.spelling import leaf_spelling
from agent.transform.xml.nodes import Element, Leaf, Node

_SPACE = " \t\n\r"


def reformat(root: Element) -> str:
    """The text of a tree: space between tags dropped, one tag a line; what holds text stays on its line."""
    writer = PlainWriter()
    pieces: list[str] = []
    waiting: list[tuple[Node | str, int, bool]] = [(child, 0, False) for child in reversed(_kept(root))]
    while waiting:
        node, depth, inline = waiting.pop()
        line = "" if inline or not pieces else "\n" + "  " * depth
        if isinstance(node, str):
            writer.prefixes.leave()
            pieces.append(line + node if node else "")
        elif isinstance(node, Leaf):
            pieces.append(leaf_spelling(node) if node.kind in {"text", "cdata"} else line + leaf_spelling(node))
        else:
            name, tag = writer.start(node)
            pieces.append(line + tag)
            children = _kept(node)
            mixed = inline or any(isinstance(child, Leaf) and child.kind in {"text", "cdata"} for child in children)
            waiting.append(("" if node.self_closed else f"</{name}>", depth, mixed))
            waiting.extend((child, depth + 1, mixed) for child in reversed(children))
    return "".join(pieces)


def _kept(element: Element) -> list[Node]:
    return [
        child
        for child in element.children()
        if not isinstance(child, Leaf) or child.kind != "text" or child.raw.strip(_SPACE)
    ]
