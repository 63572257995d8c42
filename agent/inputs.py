"""Evaluating the inputs of a step: `#{…}` in any value, and everything that is missing reported at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent.errors import VariablesError
from agent.variables import Variables


@dataclass(frozen=True)
class Missing:
    """What is required and not there, gathered from several places so that the user hears of it once."""

    found: list[str] = field(default_factory=list)

    def add(self, what: str) -> None:
        if what not in self.found:
            self.found.append(what)

    def raise_if_any(self) -> None:
        """VariablesError that names them all."""
        if self.found:
            raise VariablesError(
                f"required and not set: {', '.join(self.found)}; give them with --variables FILE or --set NAME=VALUE"
            )


def evaluated(value: object, variables: Variables, missing: Missing, place: str) -> object:
    """The same lists and mappings with every text evaluated; tokens that stay unresolved go to `missing`."""
    if isinstance(value, str):
        return _text(value, variables, missing, place)
    if isinstance(value, Mapping):
        return {str(key): evaluated(item, variables, missing, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, Sequence):
        return [evaluated(item, variables, missing, f"{place}[{index}]") for index, item in enumerate(value)]
    return value


def _text(text: str, variables: Variables, missing: Missing, place: str) -> str:
    if "#{" not in text:
        return text
    evaluation = variables.evaluate(text)
    for token in evaluation.missing:
        missing.add(f"{token} (in {place})")
    if evaluation.error and not evaluation.missing:
        raise VariablesError(f"{place}: {evaluation.error}")
    return evaluation.value or ""
