"""Turns a parsed template into text."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat

from agent.variables.octostache.arithmetic import calculated
from agent.variables.octostache.dotnet.numbers import double_text
from agent.variables.octostache.filters import CLOCK, Filter, Filters, built_in
from agent.variables.octostache.lexical import folded, trimmed
from agent.variables.octostache.printing import expression_text, token_text
from agent.variables.octostache.resolution import Resolver, Scope
from agent.variables.octostache.results import Limits, Trace, within_bounds
from agent.variables.octostache.store import Store
from agent.variables.octostache.syntax import (
    Block,
    Calculation,
    Condition,
    Conditional,
    Expression,
    FilterCall,
    Repetition,
    Substitution,
    Symbol,
    Template,
    Text,
    Token,
)
from agent.variables.octostache.tree import Branch

_Work = Iterator[tuple[Token, Scope]]


class Renderer:
    """Renders for one evaluation. `filters` are the host's own; they come after the built-in ones.

    Settled values are put in without a trace, unless the evaluation is `traced`.
    """

    def __init__(self, store: Store, filters: Filters, *, traced: bool = False) -> None:
        self._settled: Mapping[str, str] = {} if traced else store.settled
        self._filters = filters
        self._limits = Limits()
        self.resolver = Resolver(store, self._limits, self)

    def render(self, template: Template, scope: Scope, trace: Trace) -> str:
        """The template of a variable's value, evaluated where the variable was found."""
        self._limits.enter()
        self._limits.spend(len(template.keys))
        try:
            return self._limits.joined(self._rendered(template.tokens, scope, trace))
        finally:
            self._limits.leave()

    def render_whole(self, template: Template, trace: Trace) -> str | None:
        """The template that was asked for; None if a `null` filter was met."""
        scope = Scope(None, None)
        values = list(map(self._settled.get, template.keys))
        if None in values:
            for gap, token in enumerate(template.gaps):
                if values[gap] is None:
                    values[gap] = self._limits.joined(self._rendered((token,), scope, trace))
        parts = list(template.pieces)
        parts[1::2] = [value or "" for value in values]
        return None if trace.nothing else self._limits.joined(parts)

    def _rendered(self, tokens: Sequence[Token], scope: Scope, trace: Trace) -> list[str]:
        """The texts that the tokens come to. Bodies of blocks wait on a list, not on the stack."""
        parts: list[str] = []
        waiting: list[_Work] = [zip(tokens, repeat(scope))]
        while waiting:
            token, where = next(waiting[-1], (None, scope))
            if token is None:
                waiting.pop()
            elif isinstance(token, Text):
                parts.append(token.text)
            elif isinstance(token, Substitution):
                parts.append(self._substituted(token, where, trace))
            elif isinstance(token, Calculation):
                parts.append(self._calculated(token, where, trace))
            elif isinstance(token, Repetition):
                waiting.append(self._rounds(token, where, trace))
            else:
                chosen = self._branch(token, where, trace)
                self._limits.spend(len(chosen or ()))
                if chosen is None:
                    parts.append(token_text(token))
                elif chosen:
                    waiting.append(zip(chosen, repeat(where)))
        return parts

    def _substituted(self, token: Substitution, scope: Scope, trace: Trace) -> str:
        value = self._value(token.expression, scope, trace)
        if value is not None:
            return value
        echo = token_text(token)
        expression = token.expression
        if not isinstance(expression, Symbol) and expression.calls[-1].name == "null":
            trace.nothing = True
        else:
            trace.miss((echo,))
        return echo

    def _value(self, expression: Expression, scope: Scope, trace: Trace) -> str | None:
        if isinstance(expression, Symbol):
            settled = self._settled.get(expression.key) if scope.parent is None else None
            if settled is not None:
                return settled
            found = self.resolver.resolve(expression, scope, trace)
            return None if found is None else found.value
        value = self._value(expression.argument, scope, trace)
        for call in expression.calls:
            value = self._filtered(value, call, scope, trace)
        return value

    def _filtered(self, value: str | None, call: FilterCall, scope: Scope, trace: Trace) -> str | None:
        options = tuple(
            option if isinstance(option, str) else self._option(option, scope, trace) for option in call.options
        )
        name = call.name.lower()
        trace.fleeting = trace.fleeting or name in CLOCK
        started = time.monotonic()
        result = _applied(built_in(name), value, options)
        if result is None:
            result = _applied(self._filters.get(name), value, options)
        self._limits.spend_seconds(time.monotonic() - started)
        if result is not None:
            within_bounds(len(result))
        return result

    def _option(self, option: Block, scope: Scope, trace: Trace) -> str:
        return self._limits.joined(self._rendered((option,), scope, trace))

    def _branch(self, token: Conditional, scope: Scope, trace: Trace) -> Sequence[Token] | None:
        """The branch to render; None if a filter in the condition comes to nothing."""
        condition = token.condition
        left = self._side(condition.left, scope, trace)
        right = self._side(condition.right, scope, trace) if left is not None else None
        if left is None or right is None:
            trace.miss((_unresolved(condition, left),))
            return None
        if condition.comparison is None:
            return token.then if is_truthy(left) else token.otherwise
        return token.then if (left == right) == (condition.comparison == "==") else token.otherwise

    def _side(self, side: Expression | str, scope: Scope, trace: Trace) -> str | None:
        """A side of a comparison; an unknown variable is the empty text."""
        if isinstance(side, str):
            return side
        value = self._value(side, scope, trace)
        return "" if value is None and isinstance(side, Symbol) else value

    def _rounds(self, token: Repetition, scope: Scope, trace: Trace) -> _Work:
        items = self.resolver.items(token.collection, scope, trace)
        for place, item in enumerate(items):
            self._limits.spend(1 + len(token.body))
            yield from zip(token.body, repeat(_round(token.item, item, place, len(items), scope)))

    def _calculated(self, token: Calculation, scope: Scope, trace: Trace) -> str:
        result = calculated(token.postfix, lambda symbol: self._value(symbol, scope, trace))
        return token_text(token) if result is None else double_text(result)


def is_truthy(value: str) -> bool:
    """Everything but the empty text, `0`, `no` and `false` (as Octostache)."""
    return value not in ("", "0") and trimmed(value).lower() not in ("no", "false")


def _applied(function: Filter | None, value: str | None, options: tuple[str, ...]) -> str | None:
    return None if function is None else function(value, options)


def _unresolved(condition: Condition, left: str | None) -> str:
    side = condition.left if left is None else condition.right
    return side if isinstance(side, str) else expression_text(side)


def _round(name: str, item: Branch, place: int, count: int, parent: Scope) -> Scope:
    """The names of one round: the item, and `Octopus.Template.Each`."""
    each = Branch()
    each.add_name("Index", Branch(str(place)))
    each.add_name("First", Branch(str(place == 0)))
    each.add_name("Last", Branch(str(place == count - 1)))
    root = Branch()
    root.names = {folded(name): item}
    root.add_name("Octopus", Branch()).add_name("Template", Branch()).add_name("Each", each)
    return Scope(root, parent)
