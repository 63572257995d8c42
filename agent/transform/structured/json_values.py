"""How a variable's value is written as JSON: by the type of what it replaces, and in the shape of its place."""

from __future__ import annotations

import json
import math
import re

import msgspec

from agent.repeats import any_number_of
from agent.transform.structured.formats import ParseFailure
from agent.transform.structured.json_scan import find_places, unquoted
from agent.transform.structured.paths import PathNode

MAXIMUM_VALUE_DEPTH = 500

_STRICT_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"\s*([+-]?)0*([0-9]+)\s*")
_DOUBLE = re.compile(r"\s*[+-]?(?:[0-9][0-9,]*\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
_IN_QUOTES = any_number_of(r'[^"\\]++|\\.')
_IN_SINGLE_QUOTES = any_number_of(r"[^'\\]++|\\.")
_TOKEN = re.compile(
    rf"""\s++|//[^\r\n]*+|/\*(?s:.*?)\*/|"{_IN_QUOTES}"|'{_IN_SINGLE_QUOTES}'|[][{{}},:]|[^][{{}},:\s/"']++"""
)
_BREAKS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How a structure is laid out at its place; `unit` is None for one that stays on its line."""

    newline: str
    unit: str | None
    margin: str


def quoted(text: str) -> str:
    """A string as JSON, with no more escapes than Newtonsoft writes."""
    return json.dumps(text, ensure_ascii=False).translate(_BREAKS)


def as_number(value: str) -> str:
    """A number as it was given if JSON can hold it so, else respelt as .NET reads it; else a string."""
    if _STRICT_NUMBER.fullmatch(value) and math.isfinite(float(value)):
        return value
    if integer := _INTEGER.fullmatch(value):
        return integer[1].replace("+", "") + integer[2]
    if _DOUBLE.fullmatch(value) and math.isfinite(number := float(value.replace(",", ""))):
        return repr(number)
    return quoted(value)


def as_boolean(value: str) -> str:
    """`true` or `false` for what .NET takes as one, else a string."""
    word = value.strip().lower()
    return word if word in {"true", "false"} else quoted(value)


def as_structure(value: str, shape: Shape) -> str:
    """A JSON text of any type, laid out anew. ParseFailure if it is none."""
    find_places(value, PathNode())
    words = [word for word in _TOKEN.findall(value) if not word.isspace() and word[:2] not in {"//", "/*"}]
    words = [word for i, word in enumerate(words) if not (word == "," and words[i + 1] in {"]", "}"})]
    pieces: list[str] = []
    depth = 0
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else ""
        if word in {"{", "["}:
            depth += 1
            if depth > MAXIMUM_VALUE_DEPTH:
                raise ParseFailure(f"nested deeper than {MAXIMUM_VALUE_DEPTH} levels")
            pieces.append(word if following in {"}", "]"} else word + _break(shape, depth, ""))
        elif word in {"}", "]"}:
            depth -= 1
            pieces.append(word if words[index - 1] in {"{", "["} else _break(shape, depth, "") + word)
        elif word == ",":
            pieces.append("," + _break(shape, depth, " "))
        else:
            pieces.append(": " if word == ":" else _scalar(word, is_key=following == ":"))
    return "".join(pieces)


def _break(shape: Shape, depth: int, inline: str) -> str:
    return inline if shape.unit is None else shape.newline + shape.margin + shape.unit * depth


def _scalar(word: str, *, is_key: bool) -> str:
    if word[0] in "\"'":
        return quoted(unquoted(word))
    if is_key or word in {"NaN", "Infinity", "-Infinity"}:
        return quoted(word)
    if word in {"true", "false", "null"} or _STRICT_NUMBER.fullmatch(word):
        return word
    if word == "undefined":
        return "null"
    if "x" in word.lower():
        return str(int(word, 16))
    return as_number(word)
