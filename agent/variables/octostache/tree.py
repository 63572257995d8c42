"""The tree that paths are walked in: `A.B[c]` leads from the root by the names A and B to the index c."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from agent.repeats import any_number_of
from agent.variables.octostache.expressions import symbol_prefix
from agent.variables.octostache.lexical import folded
from agent.variables.octostache.syntax import NO_KEY, Identifier, Index, Symbol
from agent.variables.variable import Variable

_PART = r"[A-Za-z0-9_\-:/~()@]++"
_SIMPLE = re.compile(_PART + any_number_of(rf"\.{_PART}"))


class Branch:
    """A place in the tree: a value perhaps, named children, and indexed ones in the order they came.

    `variable` gave the value, if one did; `sensitive` is also true of what a sensitive value was taken apart
    into. The key of a variable's branch is the path that leads to it.
    """

    __slots__ = ("indexes", "key", "names", "sensitive", "value", "variable")

    def __init__(self, value: str | None = None, sensitive: bool = False) -> None:
        self.value = value
        self.sensitive = sensitive
        self.names: dict[str, Branch] | None = None
        self.indexes: dict[str, Branch] | None = None
        self.variable: Variable | None = None
        self.key = ""

    def named(self, name: str) -> Branch | None:
        return None if self.names is None else self.names.get(folded(name))

    def indexed(self, index: str) -> Branch | None:
        """The child of that index; `*` is the first one (as Octostache)."""
        if self.indexes is None:
            return None
        if index == "*":
            return next(iter(self.indexes.values()))
        return self.indexes.get(folded(index))

    def add_name(self, name: str, branch: Branch) -> Branch:
        if self.names is None:
            self.names = {}
        return self.names.setdefault(folded(name), branch)

    def add_index(self, index: str) -> Branch:
        if self.indexes is None:
            self.indexes = {}
        return self.indexes.setdefault(folded(index), Branch(index))


def bind(variables: Iterable[Variable]) -> dict[str, Variable]:
    """Each variable by the key of its path; of two with the same path the later one counts.

    A name is read as far as it is a path. One that does not even begin like one, or is blank, cannot be reached.
    """
    bound: dict[str, Variable] = {}
    for variable in variables:
        if _SIMPLE.fullmatch(variable.name):
            bound[variable.name.upper()] = variable
            continue
        path = symbol_prefix(variable.name)
        key = path_key(path) if path else ""
        if key:
            bound[key] = variable
    return bound


def grow(bound: Mapping[str, Variable]) -> Branch:
    """The tree of all variables; null becomes the empty text in it (as Octostache)."""
    root = Branch()
    for key, variable in bound.items():
        path = symbol_prefix(variable.name)
        branch = root
        for step in path.steps if path else ():
            if isinstance(step, Identifier):
                branch = branch.add_name(step.text, Branch())
            elif isinstance(step, Index):
                branch = branch.add_index(step.text)
        branch.value = variable.value or ""
        branch.sensitive = variable.sensitive
        branch.variable = variable
        branch.key = key
    return root


def path_key(path: Symbol) -> str:
    """What all spellings of a path have in common."""
    if path.key != NO_KEY:
        return path.key
    steps = (step for step in path.steps if isinstance(step, Identifier | Index))
    return folded("".join(f"[{step.text}]" if isinstance(step, Index) else f".{step.text}" for step in steps))
