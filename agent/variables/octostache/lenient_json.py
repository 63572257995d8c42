"""The lenient dialect of JSON that Newtonsoft.Json reads, for texts that are not strictly JSON."""

from __future__ import annotations

import math
import re
from typing import TypeAlias

from agent.repeats import any_number_of

Value: TypeAlias = "dict[str, Value] | list[Value] | str | int | float | bool | None"

DEEPEST = 64

_SKIPPED = re.compile(any_number_of(r"[\s\ufeff]++|/\*.*?\*/|//[^\r\n]*+"), re.DOTALL)
_BARE_NAME = re.compile(r"[^\W\d]?[\w$]++")
_NUMBER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]++|[0-9.][0-9a-zA-Z.+\-]*+)")
_CHUNKS = {quote: re.compile(rf"[^{quote}\\]*+") for quote in "\"'"}
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "\\": "\\", '"': '"', "'": "'", "/": "/"}
_WORDS: dict[str, Value] = {
    "true": True,
    "false": False,
    "null": None,
    "undefined": None,
    "NaN": math.nan,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
}
_WORD = re.compile(r"-?[A-Za-z]++")


def read_lenient(text: str) -> Value:
    """The value, or None if the text is not even this."""
    reader = _Reader(text)
    try:
        value = reader.value(0)
        reader.end()
    except ValueError:
        return None
    return value


class _Reader:
    """Reads from a cursor; ValueError where that is not possible."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def value(self, depth: int) -> Value:
        start = self._next()
        if start == "{":
            return self._object(depth + 1)
        if start == "[":
            return self._array(depth + 1)
        if start in ('"', "'"):
            return self._string()
        word = _WORD.match(self._text, self._position)
        if word is not None:
            self._position = word.end()
            return _WORDS[word[0]] if word[0] in _WORDS else _refuse(word[0])
        return self._number()

    def end(self) -> None:
        if self._next():
            _refuse(self._text[self._position :])

    def _next(self) -> str:
        """The next character that counts; empty at the end."""
        skipped = _SKIPPED.match(self._text, self._position)
        self._position = skipped.end() if skipped else self._position
        return self._text[self._position : self._position + 1]

    def _take(self, allowed: str) -> str:
        found = self._next()
        if not found or found not in allowed:
            _refuse(found)
        self._position += 1
        return found

    def _object(self, depth: int) -> Value:
        self._open(depth)
        result: dict[str, Value] = {}
        while self._next() != "}":
            name = self._name()
            self._take(":")
            result[name] = self.value(depth)
            if self._next() != "}":
                self._take(",")
        self._position += 1
        return result

    def _array(self, depth: int) -> Value:
        self._open(depth)
        result: list[Value] = []
        while self._next() != "]":
            result.append(self.value(depth))
            if self._next() != "]":
                self._take(",")
        self._position += 1
        return result

    def _open(self, depth: int) -> None:
        if depth > DEEPEST:
            _refuse("depth")
        self._position += 1

    def _name(self) -> str:
        if self._next() in ('"', "'"):
            return self._string()
        bare = _BARE_NAME.match(self._text, self._position)
        if bare is None:
            return _refuse(self._text[self._position : self._position + 1])
        self._position = bare.end()
        return bare[0]

    def _string(self) -> str:
        quote = self._text[self._position]
        self._position += 1
        parts: list[str] = []
        while True:
            chunk = _CHUNKS[quote].match(self._text, self._position)
            parts.append(chunk[0] if chunk else "")
            self._position = chunk.end() if chunk else self._position
            stop = self._text[self._position : self._position + 1]
            self._position += 1
            if stop == quote:
                return _with_pairs("".join(parts))
            parts.append(self._escape() if stop else _refuse("an open string"))

    def _escape(self) -> str:
        character = self._text[self._position : self._position + 1]
        self._position += 1
        if character in _ESCAPES:
            return _ESCAPES[character]
        digits = self._text[self._position : self._position + 4]
        if character != "u" or not re.fullmatch("[0-9a-fA-F]{4}", digits):
            return _refuse(character)
        self._position += 4
        return chr(int(digits, 16))

    def _number(self) -> Value:
        found = _NUMBER.match(self._text, self._position)
        if found is None:
            return _refuse(self._text[self._position : self._position + 1])
        self._position = found.end()
        if "x" in found[0].lower():
            return int(found[0], 16)
        if re.fullmatch(r"[-+]?[0-9]{1,4000}", found[0]):
            return int(found[0])
        return float(found[0]) if re.fullmatch(r"[-+0-9.eE]+", found[0]) else _refuse(found[0])


def _with_pairs(text: str) -> str:
    """Surrogate pairs from escapes as the characters they mean; lone ones stay."""
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _refuse(what: str) -> str:
    raise ValueError(what)
