"""Variable names as paths into a document: `Section:Items:0:Name`.

The names form a tree of their parts. A document is walked once, with a node of the tree in hand, so that what
it costs to find all places depends on the document and not on how many variables there are.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

_INDEX = re.compile(r"0|[1-9][0-9]{0,15}")


@dataclass(slots=True)
class PathNode:
    """A place that names lead to or through. `name` is the variable's spelling where one ends here."""

    name: str | None = None
    children: dict[str, PathNode] = field(default_factory=dict)
    _indexes: list[int] | None = None

    def descend(self, key: str) -> PathNode | None:
        """The node below by a document's key, colons in it included; None if no name leads there."""
        if ":" not in key:
            return self.children.get(fold(key))
        node: PathNode | None = self
        for part in fold(key).split(":"):
            if node is None:
                return None
            node = node.children.get(part)
        return node

    def next_index(self, index: int) -> int | None:
        """The smallest index of an array, from `index` on, that a name leads to."""
        if self._indexes is None:
            self._indexes = sorted(int(key) for key in self.children if _INDEX.fullmatch(key))
        place = bisect_left(self._indexes, index)
        return self._indexes[place] if place < len(self._indexes) else None


def path_tree(names: Iterable[str]) -> PathNode:
    """The tree of all names. Where two differ in case only, the later spelling stays."""
    root = PathNode()
    for name in names:
        node = root
        for part in fold(name).split(":"):
            node = node.children.setdefault(part, PathNode())
        node.name = name
    return root


def fold(text: str) -> str:
    """The form in which names are compared without case: .NET's ordinal one, a character for a character."""
    if text.isascii():
        return text.upper()
    return "".join(upper if len(upper := character.upper()) == 1 else character for character in text)
