"""Reads what stands inside of a token: paths, filters, conditions, calculations.

Every reader takes an offset and returns what it found with the offset after it. In place of a find there may be
None; the offset is then the furthest that any reading reached, because a template that is read on after an error
goes on from there (as Octostache, whose parser is made of the same ordered choices).
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Protocol, cast

from agent.errors import VariablesError
from agent.variables.octostache import lexical
from agent.variables.octostache.syntax import (
    Block,
    Calculation,
    Comparison,
    Condition,
    Expression,
    FilterCall,
    Filtered,
    Identifier,
    Index,
    Operator,
    Step,
    Symbol,
    SymbolIndex,
    symbol_of,
)

LONGEST_INDEX = 4096

_NUMBER = re.compile(r"[0-9]*\.[0-9]+|[0-9]+(?!\.)")
_STRING = re.compile(r'"([^"#]*+)"')
_BRACKETS = re.compile(r"[\[\]]")
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2}


class Blocks(Protocol):
    """The tokens that may stand inside of an expression, each known by the offset of its `#{`."""

    def option(self, position: int) -> tuple[Block | None, int]: ...

    def index(self, position: int) -> tuple[Symbol | None, int]: ...


class ExpressionReader:
    """Reads expressions of one template."""

    def __init__(self, text: str, blocks: Blocks) -> None:
        self._text = text
        self._blocks = blocks
        self._work_left = 4 * len(text) + 100

    def expression(self, position: int) -> tuple[Expression | None, int]:
        """`symbol | filter ...` with blanks around it."""
        start = self._after_blanks(position)
        symbol, after = self.symbol(start)
        after = self._after_blanks(after) if symbol else start
        calls: list[FilterCall] = []
        end = furthest = after
        while self._text.startswith("|", end):
            call, furthest = self._filter_call(end + 1)
            if call is None:
                break
            calls.append(call)
            end = furthest
        if calls:
            return Filtered(symbol or Symbol(()), tuple(calls)), self._after_blanks(end)
        return symbol, after if symbol else furthest

    def symbol(self, position: int) -> tuple[Symbol | None, int]:
        """`Name.Name[index]`."""
        first = lexical.identifier.match(self._text, position)
        if first is None:
            return None, position
        steps: list[Step] = [Identifier(lexical.trimmed(first[0]), position)]
        end = first.end()
        while True:
            step, after = self._trailing_step(end)
            if step is None:
                break
            steps.append(step)
            end = after
        return symbol_of(steps), end

    def condition(self, position: int) -> tuple[Condition | None, int]:
        """`expression`, or a comparison of two of which one may be a string."""
        left, after = self.expression(position)
        if left is not None:
            return self._comparison(left, after)
        string, furthest = self._string(position)
        comparison = self._operator(furthest) if string is not None else None
        if string is None or comparison is None:
            return None, max(after, furthest)
        right, end = self.expression(furthest + 2)
        return (Condition(right, comparison, string) if right else None), end

    def calculation(self, position: int) -> tuple[Calculation | None, int]:
        """`a + b * (c - 1)`; names come before operators, so that `B-2` is a name (as Octostache)."""
        written = _Postfix()
        while True:
            while self._text.startswith("(", position):
                written.open()
                position += 1
            operand, position = self._operand(position)
            if operand is None:
                return None, position
            written.operand(operand)
            position = self._after_blanks(position)
            while written.depth and self._text.startswith(")", position):
                written.close()
                position = self._after_blanks(position + 1)
            operator = self._text[position : position + 1]
            if operator not in _PRECEDENCE:
                return (None if written.depth else written.calculation()), position
            written.operator(cast(Operator, operator))
            position = self._after_blanks(position + 1)

    def _after_blanks(self, position: int) -> int:
        found = lexical.blanks.match(self._text, position)
        return found.end() if found else position

    def _trailing_step(self, position: int) -> tuple[Step | None, int]:
        if self._text.startswith(".", position):
            name = lexical.identifier.match(self._text, position + 1)
            if name is None:
                return None, position
            return Identifier(lexical.trimmed(name[0]), position + 1), name.end()
        if self._text.startswith("[", position):
            return self._index(position)
        return None, position

    def _index(self, position: int) -> tuple[Step | None, int]:
        inside = self._after_blanks(position + 1)
        if self._text.startswith("#{", inside):
            symbol, end = self._blocks.index(inside)
            end = self._after_blanks(end)
            if symbol is not None and self._text.startswith("]", end):
                return SymbolIndex(symbol, position), end + 1
        close = self._brackets.get(position, -1)
        if close < 0 or close - position > LONGEST_INDEX:
            return None, position
        text = self._text[position + 1 : close]
        return Index(text.lstrip(lexical.BLANK_CHARACTERS), position), close + 1

    @cached_property
    def _brackets(self) -> dict[int, int]:
        """Where each bracket that opens is closed."""
        closed: dict[int, int] = {}
        opened: list[int] = []
        for bracket in _BRACKETS.finditer(self._text):
            if bracket[0] == "[":
                opened.append(bracket.start())
            elif opened:
                closed[opened.pop()] = bracket.start()
        return closed

    def _filter_call(self, position: int) -> tuple[FilterCall | None, int]:
        start = self._after_blanks(position)
        name = lexical.word.match(self._text, start)
        if name is None:
            return None, start
        options: list[str | Block] = []
        end = self._after_blanks(name.end())
        while True:
            option, after = self._option(end)
            if option is None:
                return FilterCall(name[0], tuple(options)), end
            options.append(option)
            end = after

    def _option(self, position: int) -> tuple[str | Block | None, int]:
        self._work_left -= 1
        if self._work_left < 0:
            raise VariablesError("the template's filter options overlap each other; close its tokens")
        if self._text.startswith("#{", position):
            return self._blocks.option(position)
        start = self._after_blanks(position)
        word = lexical.word.match(self._text, start)
        if word is not None:
            return word[0], self._after_blanks(word.end())
        return self._string(start)

    def _string(self, position: int) -> tuple[str | None, int]:
        """`"text"` without `"` and `#` in it, or `\\"any text\\"`, with blanks around it."""
        start = self._after_blanks(position)
        quoted = _STRING.match(self._text, start)
        if quoted is not None:
            return quoted[1], self._after_blanks(quoted.end())
        if self._text.startswith('\\"', start):
            end = self._text.find('\\"', start + 2)
            if end >= 0:
                return self._text[start + 2 : end], self._after_blanks(end + 2)
            return None, len(self._text)
        if self._text.startswith('"', start):
            ends = [found for found in (self._text.find("#", start),) if found >= 0]
            return None, ends[0] if ends else len(self._text)
        return None, start

    def _comparison(self, left: Expression, position: int) -> tuple[Condition, int]:
        comparison = self._operator(position)
        if comparison is None:
            return Condition(left), position
        right, end = self.expression(position + 2)
        if right is not None:
            return Condition(left, comparison, right), end
        string, end = self._string(position + 2)
        if string is not None:
            return Condition(left, comparison, string), end
        return Condition(left), position

    def _operator(self, position: int) -> Comparison | None:
        if self._text.startswith("==", position):
            return "=="
        return "!=" if self._text.startswith("!=", position) else None

    def _operand(self, position: int) -> tuple[float | Symbol | None, int]:
        number = _NUMBER.match(self._text, position)
        if number is not None:
            return float(number[0]), number.end()
        if not self._text.startswith("{", position):
            return self.symbol(position)
        symbol, end = self.symbol(self._after_blanks(position + 1))
        end = self._after_blanks(end)
        if symbol is None or not self._text.startswith("}", end):
            return None, end
        return symbol, end + 1


def symbol_prefix(name: str) -> Symbol | None:
    """The longest path that a variable's name begins with (as Octostache binds names to paths)."""
    return ExpressionReader(name, _NoBlocks()).symbol(0)[0]


class _NoBlocks:
    """A variable's name has no tokens in it."""

    def option(self, position: int) -> tuple[Block | None, int]:
        return None, position

    def index(self, position: int) -> tuple[Symbol | None, int]:
        return None, position


class _Postfix:
    """A calculation while it is read: operators wait until their operands have come."""

    def __init__(self) -> None:
        self.depth = 0
        self._postfix: list[float | Symbol | Operator] = []
        self._infix: list[float | Symbol | Operator] = []
        self._waiting: list[Operator | None] = []

    def open(self) -> None:
        self.depth += 1
        self._waiting.append(None)

    def close(self) -> None:
        self._settle(0)
        self.depth -= 1
        self._waiting.pop()

    def operand(self, operand: float | Symbol) -> None:
        self._postfix.append(operand)
        self._infix.append(operand)

    def operator(self, operator: Operator) -> None:
        self._settle(_PRECEDENCE[operator])
        self._waiting.append(operator)
        self._infix.append(operator)

    def calculation(self) -> Calculation:
        self._settle(0)
        return Calculation(tuple(self._postfix), tuple(self._infix))

    def _settle(self, lowest: int) -> None:
        """Move the operators that bind at least so tightly behind their operands."""
        while self._waiting:
            operator = self._waiting[-1]
            if operator is None or _PRECEDENCE[operator] < lowest:
                return
            self._postfix.append(operator)
            self._waiting.pop()
