"""Finds where every token of a template ends, before any of them is built.

Octostache tries a conditional, a calculation, a loop and a substitution at each `#{`, goes back over the whole
rest of the template when a block turns out to have no end, and recurses into what is nested. The same answers
are had here in one pass from the last `#{` to the first: whatever may stand inside of a token lies behind it,
so it is known already. That takes linear time and no stack, however deeply the input is nested.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from typing import Literal

from agent.variables.octostache import lexical
from agent.variables.octostache.expressions import ExpressionReader
from agent.variables.octostache.syntax import Block, Condition, Substitution, Symbol

Kind = Literal["if", "unless"]
Body = Literal["if", "unless", "template"]

_B = f"[{lexical.BLANKS}]"
_KEYWORDS = (
    rf"{_B}*+(?:(?P<test>[iI][fF]|[uU][nN][lL][eE][sS][sS])|(?P<each>[eE][aA][cC][hH])|[cC][aA][lL][cC]){_B}++"
)

plain_token = re.compile(rf"#\{{(?!{_KEYWORDS})(?!/){_B}*+(?P<path>{lexical.DOTTED}){_B}*+\}}")
keyword = re.compile(rf"#\{{{_KEYWORDS}")
else_if = re.compile(rf"#\{{elseif{_B}++")
ELSE = "#{else}"
END_EACH = "#{/each}"
END_IF = {"if": "#{/if}", "unless": "#{/unless}"}

_ANY = Symbol(())
_UNBUILT = Substitution(_ANY)


class Outline:
    """Where the tokens of `text` end. An offset below zero is a failure: its complement is how far it came."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = array("q", (found.start() for found in re.finditer(r"#\{", text)))
        self._reader = ExpressionReader(text, self)
        count = len(self._starts)
        self._tokens = array("q", bytes(8 * count))
        self._substitutions: dict[int, int] = {}
        self._symbols: set[int] = set()
        self._bodies: dict[Body, array[int]] = {
            kind: array("q", bytes(8 * count)) for kind in ("if", "unless", "template")
        }
        self._tails: dict[tuple[Kind, int], int] = {}
        self._blocks: set[int] = set()
        self._last_ends = {kind: text.rfind(end) for kind, end in END_IF.items()}
        for place in reversed(range(count)):
            self._outline(place, self._starts[place])

    def token(self, position: int) -> int:
        """Where the token at this `#{` ends."""
        return self._tokens[bisect_left(self._starts, position)]

    def is_block(self, position: int) -> bool:
        """Whether it is more than a substitution."""
        return position in self._blocks

    def is_symbol(self, position: int) -> bool:
        """Whether it can be read as the substitution of a path without filters."""
        return position in self._symbols

    def substitution(self, position: int) -> int:
        """Where it ends, read as a substitution whatever else it could be."""
        found = self._substitutions.get(position)
        return self.token(position) if found is None else found

    def body(self, position: int, kind: Body) -> int:
        """Where a body that starts here stops: at what ends it, at what cannot be read, or at the end."""
        run = lexical.text_run.match(self._text, position)
        start = run.end() if run else position
        if start >= len(self._text):
            return start
        return self._bodies[kind][bisect_left(self._starts, start)]

    def head(self, position: int) -> tuple[Condition | None, int]:
        """A condition and its `}`; the offset is where the body starts."""
        condition, end = self._reader.condition(position)
        if condition is not None and self._text.startswith("}", end):
            return condition, end + 1
        return None, end

    def option(self, position: int) -> tuple[Block | None, int]:
        end = self.token(position)
        return (None, ~end) if end < 0 else (_UNBUILT, end)

    def index(self, position: int) -> tuple[Symbol | None, int]:
        if not self.is_symbol(position):
            return None, position
        return _ANY, self.substitution(position)

    def _outline(self, place: int, start: int) -> None:
        plain = plain_token.match(self._text, start)
        if plain is not None:
            self._symbols.add(start)
            end = plain.end()
        elif self._text.startswith("#{/", start):
            end = ~(start + 1)
        else:
            end = self._block(start)
        self._tokens[place] = end
        tail = self._text.startswith((ELSE, "#{elseif", "#{/"), start)
        if tail:
            self._tails["if", start] = self._tail("if", start)
            self._tails["unless", start] = self._tail("unless", start)
        after = start if end < 0 else self._after(end)
        for kind, ends in self._bodies.items():
            stops = end < 0 or (tail and self._ends_body(kind, start))
            ends[place] = start if stops else self._body_from(after, ends)

    def _block(self, start: int) -> int:
        substitution = self._substitution(start)
        opening = keyword.match(self._text, start)
        if opening is None:
            return substitution
        kind: Kind = "unless" if len(opening["test"] or "") > 2 else "if"
        if opening["test"] and substitution >= 0 and start > self._last_ends[kind]:
            return substitution  # nothing ends it: a variable that is called `if A`
        self._substitutions[start] = substitution
        if opening["test"]:
            block = self._conditional(kind, opening.end())
        elif opening["each"]:
            block = self._repetition(opening.end())
        else:
            block = self._calculation(opening.end())
        if block >= 0:
            self._blocks.add(start)
            return block
        return substitution if substitution >= 0 else ~max(~block, ~substitution)

    def _substitution(self, start: int) -> int:
        expression, end = self._reader.expression(start + 2)
        if expression is None or not self._text.startswith("}", end):
            return ~max(end, start + 1)
        if isinstance(expression, Symbol):
            self._symbols.add(start)
        return end + 1

    def _conditional(self, kind: Kind, position: int) -> int:
        condition, start = self.head(position)
        if condition is None:
            return ~start
        end = self.body(start, kind)
        return self._tails.get((kind, end), ~self._matching(end, END_IF[kind]))

    def _calculation(self, position: int) -> int:
        calculation, end = self._reader.calculation(position)
        closed = calculation is not None and self._text.startswith("}", end)
        return end + 1 if closed else ~end

    def _repetition(self, position: int) -> int:
        head, start = read_each(self._text, self._reader, position)
        if head is None:
            return ~start
        end = self.body(start, "template")
        return self._closed(end, END_EACH)

    def _tail(self, kind: Kind, position: int) -> int:
        """Where the conditional ends whose body stops here."""
        another = else_if.match(self._text, position) if kind == "if" else None
        if another is not None:
            condition, start = self.head(another.end())
            if condition is not None:
                end = self.body(start, kind)
                return self._tails.get((kind, end), ~self._matching(end, END_IF[kind]))
        if self._text.startswith(ELSE, position):
            position = self.body(position + len(ELSE), "template")
        return self._closed(position, END_IF[kind])

    def _closed(self, position: int, closer: str) -> int:
        if self._text.startswith(closer, position):
            return position + len(closer)
        return ~self._matching(position, closer)

    def _matching(self, position: int, closer: str) -> int:
        """How far the text agrees with the closer that should stand here."""
        for expected in closer:
            if not self._text.startswith(expected, position):
                break
            position += 1
        return position

    def _ends_body(self, kind: Body, start: int) -> bool:
        if kind == "template":
            return False
        if self._text.startswith(ELSE, start):
            return True
        return kind == "if" and else_if.match(self._text, start) is not None

    def _after(self, end: int) -> int:
        """The offset of the next token after one that ends here."""
        run = lexical.text_run.match(self._text, end)
        return run.end() if run else end

    def _body_from(self, position: int, ends: array[int]) -> int:
        if position >= len(self._text):
            return len(self._text)
        return ends[bisect_left(self._starts, position)]


class EachHead:
    """`#{each item in collection}`."""

    __slots__ = ("collection", "item")

    def __init__(self, item: str, collection: Symbol) -> None:
        self.item = item
        self.collection = collection


def read_each(text: str, reader: ExpressionReader, position: int) -> tuple[EachHead | None, int]:
    """What follows `#{each `, with its `}`; the offset is where the body starts."""
    item = lexical.identifier.match(text, position)
    if item is None:
        return None, position
    after = _after_blanks(text, item.end())
    if text[after : after + 2].lower() != "in":
        return None, after
    collection, end = reader.symbol(_after_blanks(text, after + 2))
    end = _after_blanks(text, end)
    if collection is None or not text.startswith("}", end):
        return None, end
    return EachHead(lexical.trimmed(item[0]), collection), end + 1


def _after_blanks(text: str, position: int) -> int:
    found = lexical.blanks.match(text, position)
    return found.end() if found else position
