"""The arithmetic of `#{calc ...}`: doubles, as .NET, which never fails."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from agent.variables.octostache.dotnet.numbers import parse_double
from agent.variables.octostache.syntax import Operator, Symbol


def calculated(
    postfix: Sequence[float | Symbol | Operator], value_of: Callable[[Symbol], str | None]
) -> float | None:
    """The result; None from the first operand on that is unknown or no number."""
    stack: list[float] = []
    for part in postfix:
        if isinstance(part, str):
            right = stack.pop()
            stack.append(_combined(stack.pop(), part, right))
            continue
        operand = part if isinstance(part, float) else _number(value_of(part))
        if operand is None:
            return None
        stack.append(operand)
    return stack[0]


def _number(text: str | None) -> float | None:
    return None if text is None else parse_double(text)


def _combined(left: float, operator: Operator, right: float) -> float:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    return left / right if right else _over_zero(left, right)


def _over_zero(left: float, zero: float) -> float:
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, zero)
