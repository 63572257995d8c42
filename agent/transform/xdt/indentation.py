"""Indentation of what a transform put in, and of what stands next to what it took out. As the reference.

The tree is walked once, before it is written. The indent of the place is learned from the space that is passed on
the way; where new elements stand without any, it is put in; where a removal left two spaces, one goes.
"""

from __future__ import annotations

from typing import Final

from agent.transform.xdt.attribute_layout import lay_out, newline_of
from agent.transform.xml.nodes import Element, Leaf, Node, append, detach, insert

_SPACE: Final = " \t\n\r"


def indent(root: Element, *, has_preserved_space: bool) -> dict[Element, str]:
    """Lay out a document; returns what may break the line before the undecided attributes of an element."""
    walk = _Walk(root, has_preserved_space=has_preserved_space)
    walk.run()
    return walk.wraps


class _Walk:
    def __init__(self, root: Element, *, has_preserved_space: bool) -> None:
        self.wraps: dict[Element, str] = {}
        self._root = root
        self._preserved = has_preserved_space
        self._indent: str | None = ""
        self._indents: list[str] = []
        self._attribute_indent: str | None = None
        self._attribute_indents: list[str | None] = []
        self._tab: str | None = None
        self._node: Node = root
        self._previous: Node = root

    def run(self) -> None:
        open_elements: list[Element] = []
        node = self._root.first
        while True:
            if node is None:
                if not open_elements:
                    return
                element = open_elements.pop()
                self._visit(element)
                self._end(element)
                node = element.next
                continue
            self._visit(node)
            if isinstance(node, Element):
                self._start(node)
                open_elements.append(node)
                node = node.first
            else:
                following = node.next
                self._leaf(node)
                node = following

    def _visit(self, node: Node) -> None:
        self._previous, self._node = self._node, node

    def _start(self, element: Element) -> None:
        if self._needs_indent(element):
            self._insert_indent(element.parent or self._root, element)
        if element.retagged or element.fresh:
            wrap = lay_out(element, self._attribute_newline)
            if wrap is not None:
                self.wraps[element] = wrap
        self._indents.append(self._current())
        self._indent = None
        self._attribute_indents.append(self._attribute_indent)
        self._attribute_indent = None
        if element.touched and not element.fresh:
            self._reorder_end(element)

    def _end(self, element: Element) -> None:
        self._indent = self._indents.pop()
        self._attribute_indent = self._attribute_indents.pop()
        if not element.self_closed and self._needs_indent(element):
            self._insert_indent(element, None)

    def _leaf(self, leaf: Leaf) -> None:
        if leaf.kind == "comment":
            if self._needs_indent(leaf):
                self._insert_indent(leaf.parent or self._root, leaf)
        elif self._is_space(leaf):
            self._space(leaf)

    def _space(self, space: Leaf) -> None:
        previous = self._previous
        text = space.value
        if isinstance(previous, Leaf) and self._is_space(previous) and previous.parent is not None:
            drop = space if _last_newline(text) < 0 <= _last_newline(previous.value) else previous
            detach(drop)
        index = _last_newline(text)
        if index >= 0:
            self._learn(text[index:])

    def _learn(self, indent: str) -> None:
        if self._indent != indent:
            self._indent = indent
            self._tab = None
            self._attribute_indent = None

    def _reorder_end(self, element: Element) -> None:
        """Elements inserted behind the space before an end tag: that space goes to the end again."""
        node = element.last
        if node is None or self._is_space(node):
            return
        while isinstance(node, Element) and node.fresh:
            node = node.previous
        if isinstance(node, Leaf) and self._is_space(node):
            detach(node)
            append(element, node)

    def _needs_indent(self, node: Node) -> bool:
        if not (_is_new(node) or _is_new(self._previous)):
            return False
        previous = self._previous
        if not isinstance(previous, Leaf) or previous.kind != "text":
            return True
        if self._is_space(previous):
            return False
        return previous.significant is True or not previous.raw.strip(_SPACE)

    def _insert_indent(self, parent: Element, before: Node | None) -> None:
        text = self._current()
        space = Leaf("text", text, 0, len(text))
        space.significant = False
        insert(parent, space, before)

    def _current(self) -> str:
        if self._indent is None:
            self._indent = self._look_ahead()
            if self._indent is None:
                self._indent = self._indents[-1] + self._one_tab()
        return self._indent

    def _look_ahead(self) -> str | None:
        parent = self._node.parent
        for sibling in parent.children() if parent is not None else ():
            if isinstance(sibling, Leaf) and sibling.next is not None and self._is_space(sibling):
                text = sibling.value
                index = _last_newline(text)
                if index >= 0:
                    return text[index:]
        return None

    def _one_tab(self) -> str:
        if self._tab is None:
            self._tab = _one_tab(self._indents)
        return self._tab

    def _attribute_newline(self) -> str:
        if self._attribute_indent is None:
            self._attribute_indent = self._sibling_newline() or self._current() + self._one_tab()
        return self._attribute_indent

    def _sibling_newline(self) -> str | None:
        before = self._node.previous
        while before is not None and not isinstance(before, Element):
            before = before.previous
        found = self._newline_of(before) if isinstance(before, Element) else None
        after = self._node.next
        while found is None and after is not None:
            found = self._newline_of(after) if isinstance(after, Element) else None
            after = after.next
        return found

    def _newline_of(self, element: Element) -> str | None:
        return self.wraps.get(element) or newline_of(element)

    def _is_space(self, node: Node) -> bool:
        if not isinstance(node, Leaf) or node.kind != "text":
            return False
        if node.significant is not None:
            return not node.significant
        if node.source[node.start : node.end].strip(_SPACE):
            return False
        return not (self._preserved and _under_preserve(node.parent))


def _is_new(node: Node) -> bool:
    element = node if isinstance(node, Element) else node.parent
    return element is not None and element.fresh


def _under_preserve(element: Element | None) -> bool:
    while element is not None and element.name:
        space = next((each for each in element.attributes if each.name == "xml:space"), None)
        if space is not None:
            return space.value == "preserve"
        element = element.parent
    return False


def _last_newline(text: str) -> int:
    """Where the last line break begins, if only blanks and tabs follow it; else -1."""
    rest = text.rstrip(" \t")
    if rest.endswith("\r\n"):
        return len(rest) - 2
    return len(rest) - 1 if rest.endswith(("\n", "\r")) else -1


def _one_tab(indents: list[str]) -> str:
    for lower, upper in zip(indents[-2::-1], indents[:0:-1], strict=True):
        if upper.startswith(lower):
            return upper[len(lower) :]
    return _tab_of(indents[0] if indents else "")


def _tab_of(indent: str) -> str:
    for index, character in enumerate(indent[:-1]):
        if character not in "\r\n":
            return indent[index + 1 :]
    return "\t"
