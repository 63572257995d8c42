"""Turns a template's text into its tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import TypeVar

from agent.errors import VariablesError
from agent.repeats import any_number_of
from agent.variables.octostache import lexical
from agent.variables.octostache.blocks import (
    ELSE,
    EachHead,
    Kind,
    Outline,
    else_if,
    keyword,
    plain_token,
    read_each,
)
from agent.variables.octostache.expressions import ExpressionReader
from agent.variables.octostache.syntax import (
    Block,
    Condition,
    Conditional,
    Repetition,
    Substitution,
    Symbol,
    Template,
    Text,
    Token,
    symbol_at,
)

DEEPEST = 32
"""How deeply tokens may stand in each other's options and indexers. Blocks nest without end."""

_Read = TypeVar("_Read")

_PART = r"[A-Za-z0-9_\-:/~()@]++"
_DOTTED = _PART + any_number_of(rf"\.{_PART}")
_SIMPLE = re.compile(rf"([^#]*+)#\{{((?!/){_DOTTED})\}}")

_SMALL = 4096
_LARGE = 4 * 1024 * 1024


class TemplateError(VariablesError):
    """A text that is no template; the message says where."""


def parse(text: str, halt_on_error: bool = True) -> Template:
    """The template; TemplateError where no token can be read.

    With `halt_on_error` false what cannot be read stays as text. The last templates are remembered, few of the
    large ones.
    """
    if len(text) <= _SMALL:
        return _small(text, halt_on_error)
    return _large(text, halt_on_error) if len(text) <= _LARGE else _parse(text, halt_on_error)


@lru_cache(maxsize=1024)
def _small(text: str, halt_on_error: bool) -> Template:
    return _parse(text, halt_on_error)


@lru_cache(maxsize=4)
def _large(text: str, halt_on_error: bool) -> Template:
    return _parse(text, halt_on_error)


def _parse(text: str, halt_on_error: bool) -> Template:
    return _plain(text) or _Builder(text, halt_on_error).template()


def _plain(text: str) -> Template | None:
    """A template of text and mere names only, which most are; None for any other."""
    pieces: list[str] = []
    keys: list[str] = []
    known: dict[str, str] = {}
    position = 0
    while True:
        simple = _SIMPLE.match(text, position)
        if simple is not None:
            literal, path = simple[1], simple[2]
            position = simple.end()
        else:
            literal, start = _text_run(text, position)
            token = plain_token.match(text, start)
            if token is None:
                pieces.append(literal)
                return Template(pieces, keys, partial(_plain_tokens, text)) if start == len(text) else None
            path, position = token["path"], token.end()
        key = known.get(path)
        if key is None:
            key = known[path] = symbol_at(path, 0).key
        pieces += (literal, "")
        keys.append(key)


def _plain_tokens(text: str) -> tuple[Token, ...]:
    """The tokens of a text that has nothing but names in it."""
    tokens: list[Token] = []
    position = 0
    while True:
        literal, start = _text_run(text, position)
        if literal:
            tokens.append(Text(literal))
        found = plain_token.match(text, start)
        if found is None:
            return tuple(tokens)
        tokens.append(Substitution(symbol_at(found["path"], found.start("path"))))
        position = found.end()


def _text_run(text: str, position: int) -> tuple[str, int]:
    """The text up to the next token, escapes resolved, and the offset of that token."""
    run = lexical.text_run.match(text, position)
    if run is None:
        return "", position
    literal = run[1]
    if "#" in literal:
        literal = literal.replace("##{", "#{")
    return (literal + "#" if run[2] else literal), run.end()


class _Builder:
    """Builds the tokens of a template whose outline is known."""

    def __init__(self, text: str, halt_on_error: bool) -> None:
        self._text = text
        self._halts = halt_on_error
        self._outline = Outline(text)
        self._reader = ExpressionReader(text, self)
        self._depth = 0

    def template(self) -> Template:
        tokens: list[Token] = []
        position = 0
        while True:
            literal, start = _text_run(self._text, position)
            if literal:
                tokens.append(Text(literal))
            if start == len(self._text):
                return Template.of(tokens)
            position = self._outline.token(start)
            if position >= 0:
                tokens.append(self._built(start))
            elif self._halts:
                raise TemplateError(_unreadable(self._text, start))
            else:
                position = ~position
                tokens.append(Text(self._text[start:position]))

    def option(self, position: int) -> tuple[Block | None, int]:
        """A token that is a filter's option."""
        end = self._outline.token(position)
        if end < 0:
            return None, ~end
        with self._deeper():
            return self._built(position), end

    def index(self, position: int) -> tuple[Symbol | None, int]:
        """A token that is an index; it holds a path without filters."""
        if not self._outline.is_symbol(position):
            return None, position
        with self._deeper():
            symbol = self._reader.expression(position + 2)[0]
        return (symbol if isinstance(symbol, Symbol) else None), self._outline.substitution(position)

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        if self._depth == DEEPEST:
            raise TemplateError(f"tokens stand in each other's options more than {DEEPEST} deep")
        self._depth += 1
        yield
        self._depth -= 1

    def _built(self, start: int) -> Block:
        """The token at `start`. Blocks wait in a list until their bodies are built."""
        token = self._token(start)
        if not isinstance(token, _OpenBlock):
            return token
        opened = [token]
        while True:
            start = opened[-1].next_token(self._text, self._outline)
            if start < 0:
                built = opened.pop().built()
                if not opened:
                    return built
                opened[-1].tokens.append(built)
                continue
            token = self._token(start)
            if isinstance(token, _OpenBlock):
                opened.append(token)
            else:
                opened[-1].tokens.append(token)

    def _token(self, start: int) -> Block | _OpenBlock:
        opening = keyword.match(self._text, start) if self._outline.is_block(start) else None
        if opening is None:
            return self._substitution(start)
        if opening["test"]:
            return self._conditional("unless" if len(opening["test"]) > 2 else "if", opening.end())
        if opening["each"]:
            return self._repetition(opening.end())
        calculation = self._reader.calculation(opening.end())[0]
        return _found(calculation)

    def _substitution(self, start: int) -> Substitution:
        plain = plain_token.match(self._text, start)
        if plain is not None:
            return Substitution(symbol_at(plain["path"], plain.start("path")))
        expression = self._reader.expression(start + 2)[0]
        assert expression is not None, "the outline has read it"
        return Substitution(expression)

    def _conditional(self, kind: Kind, position: int) -> _OpenBlock:
        conditions: list[Condition] = []
        bodies: list[tuple[int, int]] = []
        clause = position
        while True:
            condition, start = self._head(clause)
            conditions.append(condition)
            stop = self._outline.body(start, kind)
            bodies.append((start, stop))
            another = else_if.match(self._text, stop) if kind == "if" else None
            if another is None:
                break
            clause = another.end()
        if self._text.startswith(ELSE, stop):
            start = stop + len(ELSE)
            bodies.append((start, self._outline.body(start, "template")))
        return _OpenBlock(bodies, partial(_conditional, kind, conditions))

    def _head(self, position: int) -> tuple[Condition, int]:
        condition, end = self._reader.condition(position)
        return _found(condition), end + 1

    def _repetition(self, position: int) -> _OpenBlock:
        head, start = read_each(self._text, self._reader, position)
        stop = self._outline.body(start, "template")
        return _OpenBlock([(start, stop)], partial(_repetition, _found(head)))


class _OpenBlock:
    """A block whose bodies, given as (start, stop), are being built."""

    def __init__(self, bodies: list[tuple[int, int]], make: Callable[[list[tuple[Token, ...]]], Block]) -> None:
        self.tokens: list[Token] = []
        self._waiting = bodies[::-1]
        self._make = make
        self._done: list[tuple[Token, ...]] = []
        self._position, self._stop = self._waiting.pop()

    def next_token(self, text: str, outline: Outline) -> int:
        """The offset of the next token to build; -1 when all bodies are done."""
        while True:
            literal, start = _text_run(text, self._position)
            if literal:
                self.tokens.append(Text(literal))
            if start < self._stop:
                self._position = outline.token(start)
                return start
            self._done.append(tuple(self.tokens))
            self.tokens = []
            if not self._waiting:
                return -1
            self._position, self._stop = self._waiting.pop()

    def built(self) -> Block:
        return self._make(self._done)


def _conditional(kind: Kind, conditions: list[Condition], bodies: list[tuple[Token, ...]]) -> Conditional:
    """Each `elseif` becomes an `if` in the branch before it (as Octostache)."""
    otherwise = bodies[len(conditions)] if len(bodies) > len(conditions) else ()
    for condition, body in zip(reversed(conditions), reversed(bodies[: len(conditions)]), strict=True):
        branches = (body, otherwise) if kind == "if" else (otherwise, body)
        conditional = Conditional(condition, *branches)
        otherwise = (conditional,)
    return conditional


def _repetition(head: EachHead, bodies: list[tuple[Token, ...]]) -> Repetition:
    return Repetition(head.item, head.collection, bodies[0])


def _found(node: _Read | None) -> _Read:
    """What the outline has read already, and so is there."""
    if node is None:
        raise TemplateError("the template changed while it was read")
    return node


def _unreadable(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    shown = text[position : position + 40].split("\n", maxsplit=1)[0]
    return f"line {line}, column {column}: no token can be read at '{shown}'; write ##{{ for a literal #{{"
