"""Case, trimming, cutting, joining, indenting. Lengths are counted in UTF-16 units (as .NET)."""

from __future__ import annotations

import re
from collections.abc import Callable

from agent.variables.octostache.dotnet.numbers import parse_int32
from agent.variables.octostache.lexical import BLANK_CHARACTERS
from agent.variables.octostache.results import within_bounds

_SIZES = re.compile(r"(?P<all>\d{1,3})|/(?P<rest_only>\d{1,3})|(?P<first>\d{1,3})/(?P<rest>\d{1,3})", re.ASCII)
_LARGEST_INDENT = 255
_INT32 = 2**31


def to_lower(value: str | None, options: tuple[str, ...]) -> str | None:
    return None if value is None or options else _mapped(value, str.lower)


def to_upper(value: str | None, options: tuple[str, ...]) -> str | None:
    return None if value is None or options else _mapped(value, str.upper)


def trim(value: str | None, options: tuple[str, ...]) -> str | None:
    """`Trim`, `Trim start`, `Trim end`."""
    if value is None:
        return None
    side = options[0].lower() if options else ""
    if side == "start":
        return value.lstrip(BLANK_CHARACTERS)
    if side == "end":
        return value.rstrip(BLANK_CHARACTERS)
    return None if options else value.strip(BLANK_CHARACTERS)


def substring(value: str | None, options: tuple[str, ...]) -> str | None:
    """`Substring length`, `Substring start length`; a length that is too long is cut."""
    numbers = [parse_int32(option) for option in options]
    if value is None or not 1 <= len(numbers) <= 2:
        return None
    start, length = (0, numbers[0]) if len(numbers) == 1 else numbers
    if start is None or length is None or start < 0 or length < 0 or start + length >= _INT32:
        return None
    units = _Units(value)
    return units.cut(start, start + length) if start <= units.count else None


def truncate(value: str | None, options: tuple[str, ...]) -> str | None:
    """`Truncate length [suffix]`; the suffix comes after what is kept."""
    length = parse_int32(options[0]) if options else None
    if value is None or length is None or length < 0:
        return None
    units = _Units(value)
    if length >= units.count:
        return value
    return units.cut(0, length) + (options[1] if len(options) > 1 else "...")


def append(value: str | None, options: tuple[str, ...]) -> str | None:
    return (value or "") + "".join(options) if options else None


def prepend(value: str | None, options: tuple[str, ...]) -> str | None:
    return "".join(options) + (value or "") if options else None


def indent(value: str | None, options: tuple[str, ...]) -> str | None:
    """`Indent`, `Indent 2`, `Indent /2`, `Indent 4/2`, `Indent "// "`, `Indent "/* " " * "`."""
    if value is None or len(options) > 2:
        return None
    if not value:
        return ""
    first, rest = _indents(options)
    within_bounds(len(value) + len(first) + value.count("\n") * len(rest))
    return first + value.replace("\n", "\n" + rest)


def _indents(options: tuple[str, ...]) -> tuple[str, str]:
    """What goes before the first line, and before each other."""
    if not options:
        return "    ", "    "
    if len(options) == 2:
        return options[0], options[1]
    sizes = _SIZES.fullmatch(options[0])
    if sizes is None or any(int(size) > _LARGEST_INDENT for size in sizes.groups() if size):
        return options[0], options[0]
    first = int(sizes["all"] or sizes["first"] or 0)
    rest = int(sizes["all"] or sizes["rest"] or sizes["rest_only"] or 0)
    return " " * first, " " * rest


def _mapped(value: str, mapped: Callable[[str], str]) -> str:
    """Character by character, as the invariant culture: one becomes one, and only ASCII becomes ASCII."""
    if value.isascii():
        return mapped(value)
    return "".join(_mapped_character(character, mapped(character)) for character in value)


def _mapped_character(character: str, mapped: str) -> str:
    keeps = len(mapped) != 1 or character.isascii() != mapped.isascii()
    return character if keeps else mapped


class _Units:
    """A text as UTF-16 units."""

    def __init__(self, text: str) -> None:
        self._text = text
        wide = not text.isascii() and max(text) > "\uffff"
        self._units = text.encode("utf-16-le", "surrogatepass") if wide else b""
        self.count = len(self._units) // 2 if wide else len(text)

    def cut(self, start: int, end: int) -> str:
        if not self._units:
            return self._text[start:end]
        return self._units[2 * start : 2 * end].decode("utf-16-le", "surrogatepass")
