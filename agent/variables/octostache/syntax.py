"""The tree of a parsed template. `printing` turns it back into text, `evaluator` into a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec

from agent.variables.octostache.lexical import folded, trimmed

Comparison = Literal["==", "!="]
Operator = Literal["+", "-", "*", "/"]


class Node(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Nodes are compared by identity: comparing trees of any depth would exhaust the stack."""


class Identifier(Node, frozen=True):
    """`Name`, or `.Name` after another step. `position` is its offset in the template; recursion needs it."""

    text: str
    position: int = -1


class Index(Node, frozen=True):
    """`[text]`."""

    text: str
    position: int = -1


class SymbolIndex(Node, frozen=True):
    """`[#{symbol}]`."""

    symbol: Symbol
    position: int = -1


Step = Identifier | Index | SymbolIndex


class Symbol(Node, frozen=True):
    """A path to a value; without steps it is the empty left side of a filter.

    `key` is the folded name if all steps are identifiers, so that most are found without a walk; else NO_KEY.
    """

    steps: tuple[Step, ...]
    key: str = "#"


class FilterCall(Node, frozen=True):
    """`| name option option`; a word or string is a str."""

    name: str
    options: tuple[str | Block, ...]


class Filtered(Node, frozen=True):
    """`symbol | filter | filter`."""

    argument: Symbol
    calls: tuple[FilterCall, ...]


Expression = Symbol | Filtered


class Text(Node, frozen=True):
    """Text as it comes out, escapes resolved."""

    text: str


class Substitution(Node, frozen=True):
    """`#{expression}`."""

    expression: Expression


class Condition(Node, frozen=True):
    """`left`, or `left == right`; a right side in quotes is a str."""

    left: Expression
    comparison: Comparison | None = None
    right: Expression | str = ""


class Conditional(Node, frozen=True):
    """`#{if condition}then#{else}otherwise#{/if}`; `unless` swaps the branches, `elseif` nests."""

    condition: Condition
    then: tuple[Token, ...]
    otherwise: tuple[Token, ...]


class Repetition(Node, frozen=True):
    """`#{each item in collection}body#{/each}`."""

    item: str
    collection: Symbol
    body: tuple[Token, ...]


class Calculation(Node, frozen=True):
    """`#{calc ...}`. In `postfix` each operator comes after its operands; `infix` is as written, bare."""

    postfix: tuple[float | Symbol | Operator, ...]
    infix: tuple[float | Symbol | Operator, ...]


Block = Substitution | Conditional | Repetition | Calculation
Token = Text | Block


class Template:
    """A parsed template.

    `pieces` are its texts, with a gap at every second place for each other token. Where that is the substitution
    of a mere name, `keys` has the name's key (else NO_KEY), so that most gaps are filled in one go.
    """

    __slots__ = ("_build", "_tokens", "keys", "pieces")

    def __init__(self, pieces: list[str], keys: list[str], build: Callable[[], Sequence[Token]]) -> None:
        """`build` yields the tokens when they are asked for, which most templates' never are."""
        self.pieces = pieces
        self.keys = keys
        self._build = build
        self._tokens: Sequence[Token] | None = None

    @classmethod
    def of(cls, tokens: Sequence[Token]) -> Template:
        pieces: list[str] = []
        keys: list[str] = []
        literals: list[str] = []
        for token in tokens:
            if isinstance(token, Text):
                literals.append(token.text)
            else:
                pieces += ("".join(literals), "")
                keys.append(_key(token))
                literals.clear()
        return cls([*pieces, "".join(literals)], keys, lambda: tokens)

    @property
    def tokens(self) -> Sequence[Token]:
        if self._tokens is None:
            self._tokens = self._build()
        return self._tokens

    @property
    def gaps(self) -> Iterator[Block]:
        """The tokens that are not text."""
        return (token for token in self.tokens if not isinstance(token, Text))

    def needs(self) -> Iterator[Symbol]:
        """The paths that are looked up whatever happens: not those in the bodies of blocks."""
        return (symbol for token in self.gaps for symbol in _certain(token))


NO_KEY = "#"
"""What no name's key can be."""


def symbol_at(path: str, position: int) -> Symbol:
    """The symbol of a path made of names only."""
    steps: list[Step] = []
    for name in path.split("."):
        steps.append(Identifier(trimmed(name), position))
        position += len(name) + 1
    return symbol_of(steps)


def symbol_of(steps: list[Step]) -> Symbol:
    """A path, with its key if it is made of names only."""
    names = [step.text for step in steps if isinstance(step, Identifier)]
    key = folded(".".join(names)) if len(names) == len(steps) else NO_KEY
    return Symbol(tuple(steps), key)


def _certain(token: Block) -> Iterator[Symbol]:
    if isinstance(token, Substitution):
        yield from _in_expression(token.expression)
    elif isinstance(token, Conditional):
        yield from _in_expression(token.condition.left)
    elif isinstance(token, Repetition):
        yield from _in_expression(token.collection)
    elif isinstance(token.postfix[0], Symbol):
        yield from _in_expression(token.postfix[0])


def _in_expression(expression: Expression) -> Iterator[Symbol]:
    if isinstance(expression, Symbol):
        for step in expression.steps:
            if isinstance(step, SymbolIndex):
                yield from _in_expression(step.symbol)
        yield expression
        return
    yield from _in_expression(expression.argument)
    for call in expression.calls:
        for option in call.options:
            if not isinstance(option, str):
                yield from _certain(option)


def _key(token: Block) -> str:
    if isinstance(token, Substitution) and isinstance(token.expression, Symbol):
        return token.expression.key
    return NO_KEY
