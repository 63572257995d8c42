"""What an evaluation yields, and what is noted on the way to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.errors import RecursionInVariables, VariablesError

MOST_TOKENS = 2_000_000
MOST_CHARACTERS = 128 * 1024 * 1024
MOST_NESTED = 50
MOST_CIRCLES = 10_000
MOST_FILTER_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What became of a text.

    `value` is None only by the `null` filter. `error` is one line, and `missing` the tokens that are in the
    value as they were; a text that is no template has an error and no missing tokens. `sensitive` says that a
    sensitive variable's value went into this one.
    """

    value: str | None = field(repr=False)
    error: str | None = None
    missing: tuple[str, ...] = ()
    sensitive: bool = False


@dataclass(frozen=True, kw_only=True)
class Known:
    """A variable's value, once evaluated. `uses` names the variables that went into it, itself included."""

    value: str = field(repr=False)
    missing: tuple[str, ...] = ()
    sensitive: bool = False
    uses: tuple[str, ...] = ()


class Trace:
    """What happened while one text was evaluated.

    `fleeting`: the value must not be remembered, since it holds the time, or was had by giving up on a circle.
    """

    __slots__ = ("fleeting", "missing", "nothing", "sensitive", "uses")

    def __init__(self) -> None:
        self.missing: dict[str, None] = {}
        self.uses: dict[str, None] = {}
        self.sensitive = False
        self.fleeting = False
        self.nothing = False

    def miss(self, tokens: Iterable[str]) -> None:
        self.missing.update(dict.fromkeys(tokens))

    def take_in(self, inner: Trace, with_missing: bool = True) -> None:
        """What happened within a variable's value happened here too, except that `null` stays in there."""
        if with_missing:
            self.missing.update(inner.missing)
        self.uses.update(inner.uses)
        self.sensitive = self.sensitive or inner.sensitive
        self.fleeting = self.fleeting or inner.fleeting

    def use(self, known: Known) -> None:
        self.miss(known.missing)
        self.uses.update(dict.fromkeys(known.uses))
        self.sensitive = self.sensitive or known.sensitive


class TooDeep(RecursionInVariables):
    """Not known to be a circle, but as bad; unlike one, it is never taken for an answer."""


class Limits:
    """What one evaluation may use up, so that no input can take the machine down. VariablesError beyond."""

    def __init__(self) -> None:
        self._tokens = MOST_TOKENS
        self._circles = MOST_CIRCLES
        self._nested = 0
        self._seconds = MOST_FILTER_SECONDS

    def spend(self, tokens: int) -> None:
        self._tokens -= tokens
        if self._tokens < 0:
            raise VariablesError(f"evaluation takes more than {MOST_TOKENS:,} steps; shorten its loops")

    def spend_circle(self) -> None:
        self._circles -= 1
        if self._circles < 0:
            raise TooDeep(f"variables go round in more than {MOST_CIRCLES:,} circles; break them up")

    def spend_seconds(self, seconds: float) -> None:
        self._seconds -= seconds
        if self._seconds < 0:
            raise VariablesError(f"filters take longer than {MOST_FILTER_SECONDS:.0f} s; simplify them")

    def enter(self) -> None:
        self._nested += 1
        if self._nested > MOST_NESTED:
            raise TooDeep(f"values are nested more than {MOST_NESTED} deep; a variable may refer to itself")

    def leave(self) -> None:
        self._nested -= 1

    def joined(self, parts: list[str]) -> str:
        """The parts as one text, if that does not become too long."""
        within_bounds(sum(map(len, parts)))
        return "".join(parts)


def within_bounds(characters: int) -> None:
    """VariablesError if a value would become longer than any may be."""
    if characters > MOST_CHARACTERS:
        raise VariablesError(f"a value becomes longer than {MOST_CHARACTERS:,} characters; shorten it")
