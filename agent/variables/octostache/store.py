"""One set of variables with what has been found out about it, kept for as long as the set lives."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from agent.variables.octostache.results import Known
from agent.variables.octostache.tree import Branch, bind, grow
from agent.variables.variable import Variable


class Store:
    """The variables by path, their tree (grown when first needed), and the values known so far.

    `settled` has only values that nothing more is to be said about: complete, not sensitive. Threads may
    share a store: at worst they find out the same twice.
    """

    def __init__(self, variables: Iterable[Variable]) -> None:
        self._variables = variables
        self.known: dict[str, Known] = {}

    @cached_property
    def bound(self) -> dict[str, Variable]:
        return bind(self._variables)

    @cached_property
    def root(self) -> Branch:
        return grow(self.bound)

    @cached_property
    def settled(self) -> dict[str, str]:
        plain = ((key, each.value or "") for key, each in self.bound.items() if not each.sensitive)
        return {key: value for key, value in plain if "#{" not in value}

    def remember(self, key: str, known: Known) -> None:
        self.known[key] = known
        if not known.missing and not known.sensitive:
            self.settled[key] = known.value
