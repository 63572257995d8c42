"""The variables that may name a place in a structured file, sorted once for all files of a run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from agent.transform.structured.paths import PathNode, fold, path_tree
from agent.transform.text import clean
from agent.variables import Variables


class Candidates:
    """`Names` over a deployment's variables. Values are evaluated when a place asks for them, and only once."""

    def __init__(self, variables: Variables) -> None:
        self._variables = variables
        self._values: dict[str, str | None] = {}

    @cached_property
    def all(self) -> tuple[str, ...]:
        """Every name, in order."""
        return tuple(self._variables)

    @cached_property
    def paths(self) -> PathNode:
        """JSON and YAML leave out Octopus's own names, but not `Octopus:Section`. As Calamari."""
        return path_tree(name for name in self.all if _may_be_path(name))

    @cached_property
    def keys(self) -> Mapping[str, str]:
        """Properties leave out every name that begins with `Octopus`. As Calamari."""
        return {fold(name): name for name in self.all if not fold(name).startswith("OCTOPUS")}

    def value(self, name: str) -> str | None:
        """The evaluated value, without what no file can hold."""
        if name not in self._values:
            value = self._variables.get(name)
            self._values[name] = None if value is None else clean(value)
        return self._values[name]

    def is_sensitive(self, name: str) -> bool:
        """Whether the value is a secret, or made of one."""
        return self._variables.is_sensitive(name)


def _may_be_path(name: str) -> bool:
    folded = fold(name)
    return not folded.startswith("OCTOPUS") or folded.startswith("OCTOPUS:")
