"""`Match` and `Replace`: regular expressions in the dialect of .NET, in bounded time.

The `regex` package understands most of that dialect; what it reads otherwise is rewritten first. A pattern that
it does not understand makes the token be echoed, where Octostache throws.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from agent.errors import VariablesError
from agent.variables.octostache.results import within_bounds

if TYPE_CHECKING:
    import regex

SECONDS = 5.0
LONGEST_PATTERN = 10_000
LARGEST_UNROLLED = 100_000
"""How many characters and sets a pattern may have once its counted repetitions are written out."""

_TOKENS = re.compile(
    r"""(?P<escape>\\.)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<quantifier>\{\d+(?:,\d*)?\})|"""
    r"""(?P<name>\(\?'\w+')|(?P<other>.)""",
    re.DOTALL,
)
_ENDS = {"\\Z": r"(?=\n?\Z)", "\\z": r"\Z"}
_REFERENCES = re.compile(r"\$(?:(?P<number>\d+)|\{(?P<name>\w+)\}|(?P<mark>[$&`'+_]))")


def match(value: str | None, options: tuple[str, ...]) -> str | None:
    if value is None or len(options) != 1:
        return None
    pattern = _compiled(options[0])
    if pattern is None:
        return None
    try:
        return "true" if pattern.search(value, timeout=SECONDS) else "false"
    except TimeoutError as error:
        raise _too_slow(options[0]) from error


def replace(value: str | None, options: tuple[str, ...]) -> str | None:
    """`Replace pattern [replacement]`, with `$1`, `${name}`, `$&` and `$$` in the replacement."""
    pattern = _compiled(options[0]) if value is not None and options else None
    if value is None or pattern is None:
        return None
    pieces = _pieces(options[1] if len(options) > 1 else "", pattern)
    try:
        return "".join(_replaced(value, pattern, pieces))
    except TimeoutError as error:
        raise _too_slow(options[0]) from error


def _replaced(value: str, pattern: regex.Pattern[str], pieces: list[str | int]) -> Iterator[str]:
    """What stands between the matches, and what they become."""
    length = position = 0
    for found in pattern.finditer(value, timeout=SECONDS):
        parts = [value[position : found.start()], *(_expanded(piece, found, value) for piece in pieces)]
        length += sum(map(len, parts))
        within_bounds(length)
        yield from parts
        position = found.end()
    yield value[position:]


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> regex.Pattern[str] | None:
    """None for what is no regular expression."""
    import regex

    if len(pattern) > LONGEST_PATTERN or _unrolled(pattern) > LARGEST_UNROLLED:
        return None
    try:
        return regex.compile(_translated(pattern), regex.VERSION0)
    except (regex.error, RecursionError, OverflowError, ValueError):
        return None


def _unrolled(pattern: str) -> int:
    """The size of the pattern with its counted repetitions written out, which is how it is compiled."""
    groups = [0]
    last = 0
    for token in _TOKENS.finditer(pattern):
        if token["quantifier"]:
            times = max(map(int, re.findall(r"\d+", token["quantifier"])))
            groups[-1] += last * (times - 1)
            last *= times
        elif token["name"] or token["other"] == "(":
            groups.append(0)
        elif token["other"] == ")" and len(groups) > 1:
            last = groups.pop()
            groups[-1] += last
        elif token["other"] not in ("?", "*", "+", "|"):
            last = 1
            groups[-1] += 1
    return sum(groups)


def _translated(pattern: str) -> str:
    return "".join(_translated_token(token) for token in _TOKENS.finditer(pattern))


def _translated_token(token: re.Match[str]) -> str:
    if token["escape"]:
        return _ENDS.get(token["escape"], token["escape"])
    if token["set"]:
        return _translated_set(token["set"])
    if token["name"]:
        return f"(?<{token['name'][3:-1]}>"
    return r"\{" if token["other"] == "{" else token[0]


def _translated_set(characters: str) -> str:
    """A bracket within brackets is a bracket."""
    opening = 2 if characters.startswith("[^") else 1
    return characters[:opening] + re.sub(r"(\\.)|\[", lambda found: found[1] or r"\[", characters[opening:])


def _pieces(replacement: str, pattern: regex.Pattern[str]) -> list[str | int]:
    """Texts, and the numbers of the groups that stand between them; what names no group is text."""
    pieces: list[str | int] = []
    position = 0
    for reference in _REFERENCES.finditer(replacement):
        pieces.append(replacement[position : reference.start()])
        pieces.append(_referenced(reference, pattern))
        position = reference.end()
    return [*pieces, replacement[position:]]


_BEFORE, _AFTER, _LAST, _ALL = -1, -2, -3, -4
_MARKS: dict[str, str | int] = {"$": "$", "&": 0, "`": _BEFORE, "'": _AFTER, "+": _LAST, "_": _ALL}


def _referenced(reference: re.Match[str], pattern: regex.Pattern[str]) -> str | int:
    if reference["mark"]:
        return _MARKS[reference["mark"]]
    name = reference["number"] or reference["name"]
    if not name.isdigit():
        return pattern.groupindex.get(name, reference[0])
    numbered = _numbered(pattern)
    return numbered[int(name)] if len(name) < 6 and int(name) < len(numbered) else reference[0]


def _numbered(pattern: regex.Pattern[str]) -> list[int]:
    """The groups in the order in which .NET numbers them: those with a name come last."""
    named = set(pattern.groupindex.values())
    groups = range(1, pattern.groups + 1)
    return [0, *(group for group in groups if group not in named), *sorted(named)]


def _expanded(piece: str | int, found: regex.Match[str], value: str) -> str:
    if isinstance(piece, str):
        return piece
    if piece >= 0:
        return found[piece] or ""
    if piece == _LAST:
        return next((group for group in reversed(found.groups()) if group is not None), "")
    return {_BEFORE: value[: found.start()], _AFTER: value[found.end() :], _ALL: value}[piece]


def _too_slow(pattern: str) -> VariablesError:
    return VariablesError(f"the regular expression '{pattern[:80]}' takes longer than {SECONDS:.0f} s; simplify it")
