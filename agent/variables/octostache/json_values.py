"""Reads JSON values as Newtonsoft.Json does, which is what makes `#{Settings.Port}` work on a JSON variable.

That reader is lenient: bare or single-quoted names, comments, trailing commas, hexadecimal numbers, NaN. It
turns strings that look like ISO 8601 times into times, which then come out in another form.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.variables.octostache.dotnet.numbers import double_text, parse_int32
from agent.variables.octostache.lenient_json import DEEPEST, Value, read_lenient

if TYPE_CHECKING:
    from agent.variables.octostache.dotnet.dates import JsonDate


def child(text: str, name: str) -> str | None:
    """The text of a property or of an element; None if the text is no JSON object or array.

    What the object or array does not have is the empty text. Names are case-sensitive.
    """
    value = _parsed(text)
    if isinstance(value, dict):
        return _text(value.get(name))
    index = parse_int32(name) if isinstance(value, list) else None
    if not isinstance(value, list) or index is None or index < 0:
        return None
    return _text(value[index]) if index < len(value) else ""


def items(text: str) -> list[tuple[str | None, str]] | None:
    """The elements of an array, or the (name, value) of an object's properties; None if it is neither."""
    value = _parsed(text)
    if isinstance(value, dict):
        return [(name, _text(each)) for name, each in value.items()]
    return [(None, _text(each)) for each in value] if isinstance(value, list) else None


def _parsed(text: str) -> Value:
    """The text's object or array; None for anything else."""
    start = text.lstrip(" \t\r\n")[:1]
    if start not in ("{", "[", "/"):
        return None
    try:
        value: Value = json.loads(text, strict=False) if start != "/" else read_lenient(text)
    except RecursionError:
        return None
    except ValueError:
        value = read_lenient(text)
    return value if text.count("[") + text.count("{") <= DEEPEST or _is_flat(value) else None


def _is_flat(value: Value) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [each for container in level for each in _children(container)]
        if not level:
            return True
    return not any(isinstance(each, dict | list) for each in level)


def _children(value: Value) -> Iterator[Value]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _text(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return _digits(value)
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, str):
        date = _date(value)
        return value if date is None else date.general
    return "".join(_compact(value))


def _compact(value: Value) -> Iterator[str]:
    """Compact JSON. Containers are at most 64 deep here, so recursion is safe."""
    if isinstance(value, dict):
        yield "{"
        for place, (name, each) in enumerate(value.items()):
            yield f"{',' if place else ''}{_quoted(name)}:"
            yield from _compact(each)
        yield "}"
    elif isinstance(value, list):
        yield "["
        for place, each in enumerate(value):
            yield "," if place else ""
            yield from _compact(each)
        yield "]"
    else:
        yield _scalar(value)


def _scalar(value: Value) -> str:
    if isinstance(value, str):
        date = _date(value)
        return _quoted(value) if date is None else f'"{date.round_trip}"'
    if isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            return double_text(value)
        shown = double_text(value)
        return shown if "." in shown or "E" in shown else shown + ".0"
    if isinstance(value, int) and not isinstance(value, bool):
        return _digits(value)
    return "null" if value is None else str(value).lower()


def _digits(value: int) -> str:
    return format(value, "d") if value.bit_length() < 10_000 else double_text(math.inf)


def _quoted(text: str) -> str:
    """A JSON string as Newtonsoft writes it: only what must be escaped is."""
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted.replace("\u0085", "\\u0085").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _date(value: str) -> JsonDate | None:
    """Few documents hold dates, so what reads them is loaded with the first text."""
    from agent.variables.octostache.dotnet.dates import newtonsoft_date

    return newtonsoft_date(value)
