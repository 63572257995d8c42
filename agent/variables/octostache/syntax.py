"""The tree of a parsed template. `printing` turns it back into text, `evaluator` into a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

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

    `key` is the folded name if all steps are identifiers, so that most are found without a walk.
    """

    steps: tuple[Step, ...]
    key: str = ""


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

    One of text and plain substitutions only also has `pieces`, where every second one is a gap, for the value
    of the key at that place in `keys`; this is how most templates are filled in.
    """

    __slots__ = ("keys", "pieces", "tokens")

    def __init__(self, tokens: tuple[Token, ...], pieces: Sequence[str] = (), keys: Sequence[str] = ()) -> None:
        self.tokens = tokens
        self.pieces = pieces
        self.keys = keys

    def needs(self) -> Iterator[Symbol]:
        """The paths that are looked up whatever happens: those outside of all blocks."""
        for token in self.tokens:
            if isinstance(token, Substitution):
                expression = token.expression
                yield expression if isinstance(expression, Symbol) else expression.argument
