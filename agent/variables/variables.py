"""The variables of a deployment: an immutable dictionary whose values may refer to each other.

Names ignore case. The order in which names first came is kept, and so is their first spelling, because both
can be seen: in iteration, in wildcards and in lists of indexes (as Octostache).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from agent.errors import VariablesError
from agent.variables.octostache import Evaluation, Evaluator
from agent.variables.variable import Variable

_INT32 = range(-(2**31), 2**31)
_WHITESPACE = " \t\n\v\f\r\x85\xa0"


class Variables:
    """All variables of one deployment, with Octostache's ways to ask for them.

    Values are evaluated when asked for, and remembered. `merged` makes another; nothing changes one.
    """

    def __init__(self, variables: Iterable[Variable] = ()) -> None:
        self._variables: dict[str, Variable] = {}
        for each in variables:
            key = each.name.upper()
            first = self._variables.get(key)
            spelled = Variable(first.name, each.value, each.sensitive, each.source) if first else each
            self._variables[key] = spelled
        self._evaluator = Evaluator(self._variables.values())

    @classmethod
    def of(cls, mapping: Mapping[str, str | None], sensitive: Iterable[str] = (), source: str = "") -> Variables:
        """Variables from a mapping of names to values; `sensitive` names those that must not be shown."""
        secret = {name.upper() for name in sensitive}
        return cls(Variable(name, value, name.upper() in secret, source) for name, value in mapping.items())

    def merged(self, more: Iterable[Variable]) -> Variables:
        """These and `more`: the later value wins, the first position and spelling stay."""
        return Variables((*self._variables.values(), *more))

    def __iter__(self) -> Iterator[str]:
        return (each.name for each in self._variables.values())

    def __len__(self) -> int:
        return len(self._variables)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.upper() in self._variables

    def __repr__(self) -> str:
        return f"Variables({len(self)} names)"

    def variable(self, name: str) -> Variable | None:
        """The variable as it was given, with its source; nothing is evaluated."""
        return self._variables.get(name.upper())

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
        text = (self.get(name) or "").strip(_WHITESPACE)
        if not re.fullmatch(r"[+-]?[0-9]{1,100}", text):
            return None
        return int(text) if int(text) in _INT32 else None

    def strings(self, name: str, separators: str = ",") -> tuple[str, ...]:
        """The pieces between any of the separators, trimmed, without the empty ones."""
        text = self.get(name) or ""
        pieces = (piece.strip() for piece in re.split(f"[{re.escape(separators)}]", text))
        return tuple(piece for piece in pieces if piece)

    def paths(self, name: str) -> tuple[str, ...]:
        """The lines of the value, trimmed, without the empty ones."""
        return self.strings(name, "\r\n")

    def is_sensitive(self, name: str) -> bool:
        """Whether the variable is declared sensitive, or its value is made from one that is."""
        found = self.variable(name)
        if found is None or found.value is None:
            return False
        return found.sensitive or self.evaluate(found.value).sensitive

    def sensitive_values(self) -> tuple[tuple[str, str], ...]:
        """(name, value) of everything that must not be shown, as given and as evaluated."""
        found = [(each.name, each.value) for each in self._variables.values() if each.sensitive and each.value]
        for each in self._variables.values():
            if each.value and "#{" in each.value:
                evaluation = self.evaluate(each.value)
                if evaluation.value and (each.sensitive or evaluation.sensitive):
                    found.append((each.name, evaluation.value))
        return tuple(dict.fromkeys(found))
