"""The order of Maven versions: lists within lists, where `-` and every change of digit to letter opens one.

The rules are those of Maven's ComparableVersion: trailing zeros and release words count for nothing, known
qualifiers have an order of their own, and any other word comes after a release.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from itertools import zip_longest

Item = int | str | tuple["Item", ...]


def maven_key(text: str) -> tuple[object, ...]:
    """A key that orders and hashes as Maven compares."""
    return (_Key(items=_parse(text.lower())),)


def maven_prerelease(text: str) -> bool:
    """Whether a qualifier puts this before a release: alpha, beta, milestone, rc, cr, snapshot, or `a1`."""
    return not _BEFORE_RELEASE.isdisjoint(_atoms(_parse(text.lower())))


@total_ordering
@dataclass(frozen=True, kw_only=True, eq=False)
class _Key:
    items: tuple[Item, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and _compare(self.items, other.items) == 0

    def __lt__(self, other: _Key) -> bool:
        return _compare(self.items, other.items) < 0

    def __hash__(self) -> int:
        return hash(tuple(_atoms(self.items)))


_QUALIFIERS = ("alpha", "beta", "milestone", "rc", "snapshot", "", "sp")
_BEFORE_RELEASE = frozenset(_QUALIFIERS[:5])
_ALIASES = {"ga": "", "final": "", "cr": "rc"}
_SHORT = {"a": "alpha", "b": "beta", "m": "milestone"}


def _parse(text: str) -> tuple[Item, ...]:
    """Lists are built from the innermost out: a list's sublist, if any, is always its last item."""
    levels: list[list[Item]] = [[]]
    pieces = re.findall(r"\d+|[^\d.-]+|[.-]", text)
    expects_value = True
    for index, piece in enumerate(pieces):
        if piece in ".-":
            if expects_value:
                levels[-1].append(0)
            if piece == "-":
                levels.append([])
            expects_value = True
            continue
        if not expects_value:
            levels.append([])
        following = pieces[index + 1] if index + 1 < len(pieces) else ""
        levels[-1].append(_value(piece, before_digit=following.isdigit()))
        expects_value = False
    return _folded(levels)


def _value(piece: str, *, before_digit: bool) -> Item:
    if piece.isdigit():
        return int(piece)
    if before_digit:
        piece = _SHORT.get(piece, piece)
    return _ALIASES.get(piece, piece)


def _folded(levels: list[list[Item]]) -> tuple[Item, ...]:
    inner: tuple[Item, ...] = ()
    for level in reversed(levels):
        while level and level[-1] in {0, ""}:
            level.pop()
        inner = (*level, inner) if inner else tuple(level)
    return inner


def _compare(one: Item | None, other: Item | None) -> int:
    if one is None:
        return 0 if other is None else -_compare(other, None)
    if isinstance(one, tuple):
        return _compare_list(one, other)
    if isinstance(one, int):
        if other is None or isinstance(other, int):
            return one - (other or 0)
        return 1
    if other is None or isinstance(other, str):
        mine, theirs = _rank(one), _rank(other or "")
        return (mine > theirs) - (mine < theirs)
    return -1


def _compare_list(one: tuple[Item, ...], other: Item | None) -> int:
    if isinstance(other, int):
        return -1
    if isinstance(other, str):
        return 1
    for mine, theirs in zip_longest(one, other or ()):
        if difference := _compare(mine, theirs):
            return difference
    return 0


def _rank(qualifier: str) -> tuple[int, str]:
    if qualifier in _QUALIFIERS:
        return _QUALIFIERS.index(qualifier), ""
    return len(_QUALIFIERS), qualifier


def _atoms(items: tuple[Item, ...]) -> list[int | str]:
    """All that counts, in order; equal versions have equal atoms."""
    found: list[int | str] = []
    for item in items:
        if isinstance(item, tuple):
            found.extend(_atoms(item))
        elif item not in {0, ""}:
            found.append(item)
    return found
