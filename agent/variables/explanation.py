"""Says of each token of a text what it came to, from where, and why it did not: for people who look for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from agent.variables.octostache import (
    Evaluator,
    Template,
    TemplateError,
    argument_names,
    filter_names,
    parse,
    token_text,
)
from agent.variables.octostache.syntax import Filtered, Substitution, Text, Token
from agent.variables.variable import Variable

_MOST_NAMES = 5000


@dataclass(frozen=True, kw_only=True)
class TokenExplanation:
    """One token of a text: a substitution, or a whole block.

    `value` is what it came to, as it is: show it only if not `sensitive`. None means by the `null` filter, or
    that the text is no template. `sources` are (variable, where it came from) of all that went into it, and
    `reason` says in one line why something in it stayed unresolved; empty if nothing did.
    """

    token: str
    value: str | None = field(repr=False)
    sources: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    sensitive: bool = False


def explain(
    text: str, evaluator: Evaluator, names: Iterable[str], find: Callable[[str], Variable | None]
) -> tuple[TokenExplanation, ...]:
    """An explanation of each token; a text that is no template is explained as one token.

    RecursionInVariables if a token goes round in a circle.
    """
    try:
        template = parse(text)
    except TemplateError as error:
        return (TokenExplanation(token=text, value=None, reason=str(error)),)
    known = tuple(names)
    return tuple(_explained(token, evaluator, known, find) for token in template.gaps)


def _explained(
    token: Token, evaluator: Evaluator, names: tuple[str, ...], find: Callable[[str], Variable | None]
) -> TokenExplanation:
    evaluation, uses = evaluator.evaluate_token(token)
    used = [variable for name in uses if (variable := find(name)) is not None]
    return TokenExplanation(
        token=token_text(token),
        value=evaluation.value,
        sources=tuple((variable.name, variable.source) for variable in used),
        reason="; ".join(_reason(missing, evaluator, names) for missing in evaluation.missing),
        sensitive=evaluation.sensitive,
    )


def _reason(missing: str, evaluator: Evaluator, names: tuple[str, ...]) -> str:
    """Why this token, or this expression of a condition, came to nothing."""
    try:
        template = parse(missing if missing.startswith("#{") else f"#{{{missing}}}")
    except TemplateError as error:
        return f"{missing}: {error}"
    for name in _unknown_names(template, evaluator):
        return f"{missing}: no variable is called '{name}'{_suggested(name, names)}"
    for name in _filters(template):
        if name.lower() not in filter_names():
            return f"{missing}: no filter is called '{name}'{_suggested(name, filter_names())}"
    return f"{missing}: its filters cannot use this value or these options"


def _unknown_names(template: Template, evaluator: Evaluator) -> Iterator[str]:
    """The paths, and the names in options and indexes, that come to nothing."""
    paths = (token_text(Substitution(symbol)) for symbol in template.needs() if symbol.steps)
    inner = (f"#{{{name}}}" for name in argument_names(template))
    for path in (*paths, *inner):
        if evaluator.evaluate(path).error:
            yield path[2:-1]
            return


def _filters(template: Template) -> Iterator[str]:
    for token in template.tokens:
        if not isinstance(token, Text) and isinstance(token, Substitution) and isinstance(token.expression, Filtered):
            yield from (call.name for call in token.expression.calls)


def _suggested(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'X'?`, if there is something like it; of very many names only the first are compared."""
    from difflib import get_close_matches

    lowered = {each.lower(): each for _, each in zip(range(_MOST_NAMES), names, strict=False)}
    close = get_close_matches(name.lower()[:200], lowered, n=1, cutoff=0.75)
    return f"; did you mean '{lowered[close[0]]}'?" if close else ""
