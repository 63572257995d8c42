"""The names that a template looks up, found without evaluating it."""

from __future__ import annotations

from collections.abc import Iterator

from agent.variables.octostache.syntax import (
    Calculation,
    Conditional,
    Expression,
    Identifier,
    Repetition,
    Substitution,
    Symbol,
    SymbolIndex,
    Template,
    Text,
    Token,
)


def argument_names(template: Template) -> tuple[str, ...]:
    """Each name in a path, an option, a condition or an index, once, in the order they come.

    As Octostache: of a loop only the collection counts, and a string that is compared with counts as a name.
    """
    found: dict[str, None] = {}
    waiting: list[Token] = list(reversed(template.tokens))
    while waiting:
        token = waiting.pop()
        found.update(dict.fromkeys(_own_names(token)))
        if isinstance(token, Conditional):
            waiting.extend(reversed((*token.then, *token.otherwise)))
    return tuple(found)


def _own_names(token: Token) -> Iterator[str]:
    if isinstance(token, Substitution):
        yield from _expression_names(token.expression)
    elif isinstance(token, Repetition):
        yield from _expression_names(token.collection)
    elif isinstance(token, Calculation):
        for part in token.postfix:
            if isinstance(part, Symbol):
                yield from _expression_names(part)
    elif not isinstance(token, Text):
        condition = token.condition
        yield from _expression_names(condition.left)
        if condition.comparison is not None:
            right = condition.right
            yield from (right,) if isinstance(right, str) else _expression_names(right)


def _expression_names(expression: Expression) -> Iterator[str]:
    if not isinstance(expression, Symbol):
        yield from _expression_names(expression.argument)
        options = (option for call in expression.calls for option in call.options)
        yield from argument_names(Template.of(tuple(each for each in options if not isinstance(each, str))))
        return
    for step in expression.steps:
        if isinstance(step, Identifier):
            yield step.text
        elif isinstance(step, SymbolIndex):
            yield from _expression_names(step.symbol)
