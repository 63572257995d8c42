"""The variables of a deployment: an immutable dictionary whose values may refer to each other.

Names ignore case. The order in which names first came is kept, and so is their first spelling, because both
can be seen: in iteration, in wildcards and in lists of indexes (as Octostache).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from agent.errors import VariablesError
from agent.variables.explanation import TokenExplanation, explain
from agent.variables.octostache import Evaluation, Evaluator, Filter, folded, is_truthy
from agent.variables.octostache.dotnet.numbers import parse_int32
from agent.variables.variable import Variable


class Variables:
    """All variables of one deployment, with Octostache's ways to ask for them.

    Values are evaluated when asked for, and remembered. `merged` makes another; nothing changes one.
    """

    def __init__(self, variables: Iterable[Variable] = (), filters: Mapping[str, Filter] | None = None) -> None:
        """`filters` are the host's own, by name; the built-in ones come before them."""
        self._variables: dict[str, Variable] = {}
        self._filters = {name.lower(): each for name, each in (filters or {}).items()}
        for each in variables:
            key = folded(each.name)
            first = self._variables.get(key)
            self._variables[key] = replace(each, name=first.name) if first else each
        self._evaluator = Evaluator(self._variables.values(), self._filters)

    @classmethod
    def of(cls, mapping: Mapping[str, str | None], sensitive: Iterable[str] = (), source: str = "") -> Variables:
        """Variables from a mapping of names to values; `sensitive` names those that must not be shown."""
        secret = frozenset(map(folded, sensitive))
        return cls(Variable(name, value, folded(name) in secret, source) for name, value in mapping.items())

    def merged(self, more: Iterable[Variable]) -> Variables:
        """These and `more`: the later value wins, the first position and spelling stay."""
        return Variables((*self._variables.values(), *more), self._filters)

    def __iter__(self) -> Iterator[str]:
        return (each.name for each in self._variables.values())

    def __len__(self) -> int:
        return len(self._variables)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and folded(name) in self._variables

    def __repr__(self) -> str:
        return f"Variables({len(self)} names)"

    def variable(self, name: str) -> Variable | None:
        """The variable as it was given, with its source; nothing is evaluated."""
        return self._variables.get(folded(name))

    def evaluate(self, text: str, halt_on_error: bool = True) -> Evaluation:
        """The text with its tokens replaced.

        A text that does not parse comes back unchanged with an error; with `halt_on_error` false only the part
        that does not parse stays. RecursionInVariables if a variable refers to itself.
        """
        return self._evaluator.evaluate(text, halt_on_error)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The evaluated value; `default` if there is none."""
        raw = self.get_raw(name)
        return default if raw is None else self.evaluate(raw).value

    def get_raw(self, name: str) -> str | None:
        """The value as it was given."""
        found = self.variable(name)
        return None if found is None else found.value

    def require(self, name: str) -> str:
        """The evaluated value; VariablesError if there is none, or a blank one."""
        value = self.get(name)
        if not value:
            raise VariablesError(f"The variable '{name}' is required but no value is set.")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """`true` or `false` in any case; anything else is `default` (as Octostache: `1` and `yes` too)."""
        return {"true": True, "false": False}.get((self.get(name) or "").strip().lower(), default)

    def int32(self, name: str) -> int | None:
        """The value as an integer of 32 bits; None if it is none."""
        return parse_int32(self.get(name) or "")

    def strings(self, name: str, separators: str = ",") -> tuple[str, ...]:
        """The pieces between any of the separators, trimmed, without the empty ones."""
        text = self.get(name) or ""
        pieces = (piece.strip() for piece in re.split(f"[{re.escape(separators)}]", text))
        return tuple(piece for piece in pieces if piece)

    def paths(self, name: str) -> tuple[str, ...]:
        """The lines of the value, trimmed, without the empty ones."""
        return self.strings(name, "\r\n")

    def is_truthy(self, text: str) -> bool:
        """Whether the text evaluates, without an error, to anything but ``, `0`, `no` and `false`."""
        evaluation = self.evaluate(text)
        return not evaluation.error and evaluation.value is not None and is_truthy(evaluation.value)

    def indexes(self, path: str) -> tuple[str, ...]:
        """What a loop over the path goes through: indexes, JSON elements or names, or comma-separated pieces.

        VariablesError for a path that is blank or none.
        """
        if not path.strip():
            raise VariablesError("The path whose indexes are asked for must not be null or empty.")
        return self._evaluator.indexes(path)

    def is_sensitive(self, name: str) -> bool:
        """Whether the variable is declared sensitive, or its value is made from one that is."""
        found = self.variable(name)
        if found is None or found.value is None:
            return False
        return found.sensitive or bool(self._computed_secret(found))

    def sensitive_values(self) -> tuple[tuple[str, str], ...]:
        """(name, value) of all that must not be shown: sensitive values as given and as evaluated, and what is
        made from them. Empty values and the answers `true` and `false` give nothing away, and are left out."""
        found: dict[tuple[str, str], None] = {}
        for each in self._variables.values():
            raw = each.value or ""
            if each.sensitive:
                found[each.name, raw] = None
            if "#{" in raw:
                found.update(dict.fromkeys(self._computed_secret(each)))
        return tuple((name, value) for name, value in found if value and value.lower() not in ("true", "false"))

    def _computed_secret(self, variable: Variable) -> tuple[tuple[str, str], ...]:
        try:
            evaluation = self.evaluate(variable.value or "")
        except VariablesError:
            return ()
        secret = evaluation.value is not None and (variable.sensitive or evaluation.sensitive)
        return ((variable.name, evaluation.value or ""),) if secret else ()

    def explain(self, text: str) -> tuple[TokenExplanation, ...]:
        """What each token of the text comes to, from which variables, and why one stays unresolved."""
        return explain(text, self._evaluator, self, self.variable)

    def as_json(self) -> str:
        """One JSON object of names and values as given, indented, as Octostache saves it."""
        return json.dumps({each.name: each.value for each in self._variables.values()}, indent=2, ensure_ascii=False)
