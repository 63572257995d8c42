"""Writing a target without its own layout, the reference engine's other mode: indented by two."""

from __future__ import annotations

from agent.transform.xdt.plain import PlainWriter
from agent.transform.xdt.spelling import leaf_spelling
from agent.transform.xml.nodes import Element, Leaf, Node

_SPACE = " \t\n\r"


def reformat(root: Element) -> str:
    """The text of a tree: space between tags dropped, one tag a line. From the first text in an element on, its
    content stays on one line.
    """
    writer = PlainWriter()
    pieces: list[str] = []
    inline = [False]
    waiting: list[Node | str] = list(reversed(_kept(root)))
    while waiting:
        node = waiting.pop()
        indent = "" if inline[-1] or not pieces else "\n" + "  " * (len(inline) - 1)
        if isinstance(node, str):
            writer.prefixes.leave()
            pieces.append(indent[:-2] + node if indent and node else node)
            inline.pop()
        elif isinstance(node, Leaf):
            inline[-1] = inline[-1] or node.kind in {"text", "cdata", "reference"}
            pieces.append(leaf_spelling(node) if inline[-1] else indent + leaf_spelling(node))
        else:
            name, tag = writer.start(node)
            pieces.append(indent + tag)
            inline.append(inline[-1])
            waiting.append("" if node.self_closed else f"</{name}>")
            waiting.extend(reversed(_kept(node)))
    return "".join(pieces)


def _kept(element: Element) -> list[Node]:
    return [
        child
        for child in element.children()
        if not isinstance(child, Leaf) or child.kind != "text" or child.raw.strip(_SPACE)
    ]
