"""Gives a template its values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.errors import RecursionInVariables
from agent.variables.variable import Variable

_PLAIN = re.compile(r"##\{|#\{([^{}#|\[\]\"]+)\}")
_DEEPEST = 50


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What became of a text: its value (None by the null filter), what could not be evaluated, and whether
    a sensitive variable went into it. `error` says why in one line, `missing` lists the tokens."""

    value: str | None = field(repr=False)
    error: str | None = None
    missing: tuple[str, ...] = ()
    sensitive: bool = False


class Evaluator:
    """Evaluates texts against one set of variables."""

    def __init__(self, variables: Iterable[Variable]) -> None:
        self._values = {each.name.upper(): each for each in variables}

    def evaluate(self, text: str, halt_on_error: bool = True) -> Evaluation:  # noqa: ARG002
        missing: dict[str, None] = {}
        sensitive: list[bool] = []
        value = self._expanded(text, missing, sensitive, ())
        error = None
        if missing:
            tokens = ", ".join(f"'{token}'" for token in missing)
            error = f"The following tokens were unable to be evaluated: {tokens}"
        return Evaluation(value=value, error=error, missing=tuple(missing), sensitive=any(sensitive))

    def _expanded(self, text: str, missing: dict[str, None], sensitive: list[bool], above: tuple[str, ...]) -> str:
        def replaced(match: re.Match[str]) -> str:
            if match[1] is None:
                return "#{"
            name = match[1].strip()
            if name.upper() in above or len(above) > _DEEPEST:
                chain = " -> ".join((*above, name))
                raise RecursionInVariables(
                    f'An attempt to parse the variable symbol "{name}" appears to have resulted in a self '
                    f"referencing loop ({chain}). "
                    "Ensure that recursive loops do not exist in the variable values."
                )
            found = self._values.get(name.upper())
            if found is None:
                missing[match[0]] = None
                return match[0]
            sensitive.append(found.sensitive)
            return self._expanded(found.value or "", missing, sensitive, (*above, name.upper()))

        return _PLAIN.sub(replaced, text)
