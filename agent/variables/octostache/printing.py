"""The canonical text of a token: what stands in the output where it could not be evaluated."""

from __future__ import annotations

from collections.abc import Sequence

from agent.variables.octostache.dotnet.numbers import double_text
from agent.variables.octostache.syntax import (
    Block,
    Calculation,
    Condition,
    Conditional,
    Expression,
    FilterCall,
    Identifier,
    Operator,
    Repetition,
    Step,
    Substitution,
    Symbol,
    SymbolIndex,
    Text,
    Token,
)


def tokens_text(tokens: Sequence[Token]) -> str:
    """The text that parses to these tokens again, except that a calculation loses its `calc` (as Octostache)."""
    written: list[str] = []
    waiting: list[str | Token] = _in_order(tokens)[::-1]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            written.append(part)
        else:
            waiting.extend(reversed(_parts(part)))
    return "".join(written)


def token_text(token: Token) -> str:
    return tokens_text((token,))


def expression_text(expression: Expression) -> str:
    """`A.B[c] | Filter "option"`."""
    if isinstance(expression, Symbol):
        return symbol_text(expression)
    return " | ".join((symbol_text(expression.argument), *map(_call_text, expression.calls)))


def symbol_text(symbol: Symbol) -> str:
    """`A.B[c][#{d}]`."""
    return "".join(map(_step_text, symbol.steps))[1:]


def _in_order(tokens: Sequence[Token]) -> list[str | Token]:
    """The tokens; where a text ends in `#` before another token, the `#` is kept from escaping that."""
    parts: list[str | Token] = []
    for token in tokens:
        before = parts[-1] if parts else None
        if isinstance(before, Text) and before.text.endswith("#") and not isinstance(token, Text):
            parts.append("#")
        parts.append(token)
    return parts


def _parts(token: Token) -> list[str | Token]:
    if isinstance(token, Text):
        return [token.text.replace("#{", "##{")]
    if isinstance(token, Substitution):
        return [f"#{{{expression_text(token.expression)}}}"]
    if isinstance(token, Calculation):
        return ["#{", *map(_operand_text, token.infix), "}"]
    if isinstance(token, Repetition):
        head = f"#{{each {token.item} in {symbol_text(token.collection)}}}"
        return [head, *_in_order(token.body), "#{/each}"]
    return _conditional_parts(token)


def _conditional_parts(token: Conditional) -> list[str | Token]:
    parts: list[str | Token] = [f"#{{if {_condition_text(token.condition)}}}", *_in_order(token.then)]
    if token.otherwise:
        parts += ["#{else}", *_in_order(token.otherwise)]
    return [*parts, "#{/if}"]


def _condition_text(condition: Condition) -> str:
    left = expression_text(condition.left)
    if condition.comparison is None:
        return left
    right = condition.right
    shown = f'"{right}"' if isinstance(right, str) else expression_text(right)
    return f"{left} {condition.comparison} {shown} "


def _operand_text(part: float | Symbol | Operator) -> str:
    if isinstance(part, str):
        return part
    return double_text(part) if isinstance(part, float) else symbol_text(part)


def _call_text(call: FilterCall) -> str:
    return " ".join((call.name, *map(_option_text, call.options)))


def _option_text(option: str | Block) -> str:
    return f'"{option}"' if isinstance(option, str) else tokens_text((option,))


def _step_text(step: Step) -> str:
    if isinstance(step, Identifier):
        return f".{step.text}"
    if isinstance(step, SymbolIndex):
        return f"[#{{{symbol_text(step.symbol)}}}]"
    return f"[{step.text}]"
