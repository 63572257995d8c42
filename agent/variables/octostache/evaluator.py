"""The language's front door: a set of variables, and texts to evaluate against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.errors import VariablesError
from agent.variables.octostache.expressions import symbol_prefix
from agent.variables.octostache.filters import Filter
from agent.variables.octostache.parser import TemplateError, parse
from agent.variables.octostache.rendering import Renderer
from agent.variables.octostache.resolution import Scope
from agent.variables.octostache.results import Evaluation, TooDeep, Trace
from agent.variables.octostache.store import Store
from agent.variables.octostache.syntax import Template, Token
from agent.variables.variable import Variable


class Evaluator:
    """Evaluates texts against one set of variables, and remembers the variables' values.

    Values that hold the time are computed anew each time they are asked for.
    """

    def __init__(self, variables: Iterable[Variable], filters: Mapping[str, Filter]) -> None:
        self._store = Store(variables)
        self._filters = filters

    def evaluate(self, text: str, halt_on_error: bool = True) -> Evaluation:
        """The text with its tokens replaced; VariablesError if it cannot be had within bounds."""
        if "#{" not in text:
            return Evaluation(value=text)
        try:
            template = parse(text, halt_on_error)
        except TemplateError as error:
            return Evaluation(value=text, error=str(error))
        return self._evaluated(template)[0]

    def evaluate_token(self, token: Token) -> tuple[Evaluation, tuple[str, ...]]:
        """One token of a template, and the names of the variables that went into it."""
        return self._evaluated(Template.of((token,)), traced=True)

    def indexes(self, path: str) -> tuple[str, ...]:
        """What a loop over the path would go through (as Octostache: commas and JSON count too)."""
        symbol = symbol_prefix(path)
        if symbol is None:
            raise VariablesError(f"Could not evaluate indexes for path {path}")
        trace = Trace()
        items = Renderer(self._store, self._filters).resolver.items(symbol, Scope(None, None), trace)
        return tuple(item.value or "" for item in items)

    def _evaluated(self, template: Template, *, traced: bool = False) -> tuple[Evaluation, tuple[str, ...]]:
        trace = Trace()
        try:
            value = Renderer(self._store, self._filters, traced=traced).render_whole(template, trace)
        except RecursionError as error:
            raise TooDeep("the text or its variables are nested too deep; a variable may refer to itself") from error
        evaluation = Evaluation(
            value=value,
            error=_error(trace.missing) if value is not None and trace.missing else None,
            missing=tuple(trace.missing),
            sensitive=trace.sensitive,
        )
        return evaluation, tuple(trace.uses)


def _error(missing: Iterable[str]) -> str:
    tokens = ", ".join(f"'{token}'" for token in missing)
    return f"The following tokens were unable to be evaluated: {tokens}"
