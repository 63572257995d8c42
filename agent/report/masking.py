"""Masks secrets in whatever leaves the process, however the text is cut.

An automaton (Aho-Corasick, in C) finds the first characters of every spelling of every secret in one pass, so a
log without secrets costs one scan. Only where it strikes is the whole spelling compared. As Tentacle: the mask
is `********`, values under four characters are left alone, and line breaks inside a secret do not hide it.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Any

import msgspec

from agent.report.forms import LONGEST, PIECE, SHORTEST, flat, forms

MASK = "********"

_ANCHOR = 16  # as many characters decide cheaply that a spelling is near
_NO_LINE_BREAK = re.compile(r"[^\r\n]+")
_COMMON = ' etaoinsrlhdcu0123456789.mfpgwybvkxjqz/-:"=,_()[]ETAOINSRLHDCUMFPGWYBVKXJQZ'  # in a log
_SHORT = 5
_MOST_HELD = 4 * PIECE  # line breaks count too: no secret is broken as often as that
_OPEN_LINE = 3  # fewer characters at a line's end that could begin a secret do not hold the line back


class Masker:
    """Knows the secrets. Safe for use by several threads; secrets may be added at any time.

    `warn` takes one line for each name whose value is too short, or too long, to be masked in full.
    """

    def __init__(self, secrets: Iterable[tuple[str, str]] = (), warn: Callable[[str], None] | None = None) -> None:
        self._warn = warn
        self._warned: set[str] = set()
        self._lock = threading.Lock()
        self._by_anchor: dict[str, set[str]] = {}
        self._automaton: _Automaton | None = None
        for name, value in secrets:
            self.add(name, value)

    def add(self, name: str, value: str) -> None:
        """Mask `value` from now on; blank values are passed over."""
        if not value.strip():
            return
        if len(flat(value).strip()) < SHORTEST:
            self._warn_once(name, f"{name}: is shorter than {SHORTEST} characters and is not masked")
            return
        if len(value) > LONGEST:
            self._warn_once(name, f"{name}: only its first {LONGEST} characters are masked")
        spellings = forms(value)
        with self._lock:
            for spelling in spellings:
                self._by_anchor.setdefault(spelling[:_ANCHOR], set()).add(spelling)
            self._automaton = None

    def mask(self, text: str) -> str:
        """`text`, which is complete, with every spelling of every secret replaced."""
        stream = self.stream()
        return stream.feed(text) + stream.flush()

    def stream(self) -> MaskingStream:
        """For text that comes in pieces."""
        return MaskingStream(self)

    def scan(self, text: str) -> tuple[list[tuple[int, int]], int]:
        """Where secrets are in `text`, which has no line breaks, merged and in order; and from where on its
        end is undecided because it may begin a secret (its length if it does not)."""
        automaton = self._compiled()
        if automaton is None:
            return [], len(text)
        return automaton.scan(text)

    def _compiled(self) -> _Automaton | None:
        with self._lock:
            if self._automaton is None and self._by_anchor:
                self._automaton = _compile(self._by_anchor)
            return self._automaton

    def _warn_once(self, name: str, line: str) -> None:
        if self._warn is not None and name not in self._warned:
            self._warned.add(name)
            self._warn(line)


class MaskingStream:
    """Masks a text that comes in pieces; what may begin a secret is held back until it is decided.

    At the end of a line, one or two characters are not held back: a line should not wait for the next one
    because of them. If they did begin a secret, its remainder on the next line is masked all the same.
    """

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._held = ""  # not given out yet
        self._covered = 0  # so many characters of it are known to be secret, and their mask was given out
        self._context = ""  # given out already, but may begin a secret

    def feed(self, text: str) -> str:
        """Take more text; return what is decided, masked."""
        decided = self._advance(self._held + text, final=False)
        if len(self._held) > _MOST_HELD:
            decided += self.flush()
        return decided

    def flush(self) -> str:
        """What was held back. Afterwards the stream begins anew."""
        return self._advance(self._held, final=True)

    def _advance(self, text: str, *, final: bool) -> str:
        seen = self._context + flat(text)
        lead, size = len(self._context), len(seen)
        regions, undecided = self._masker.scan(seen)
        if final:
            undecided, self._context = size, ""
        elif size - undecided < _OPEN_LINE and text.endswith(("\n", "\r")):
            undecided, self._context = size, seen[undecided:]
        else:
            self._context = self._context[undecided:]
        if not regions and not self._covered and undecided == size:
            self._held = ""
            return text
        shifted = [(max(0, start - lead), end - lead) for start, end in regions if end > lead]
        return self._release(text, _merged([(0, self._covered), *shifted]), max(0, undecided - lead))

    def _release(self, text: str, regions: list[tuple[int, int]], until: int) -> str:
        """Give out `text` up to the flat position `until` and hold the rest."""
        place = _Places.of(text)
        pieces: list[str] = []
        done, covered = 0, max(0, self._covered - until)
        for start, end in regions:
            if start >= until:
                break
            stop = min(end, until)
            first, last = place.of_flat(start), place.of_flat(stop - 1) + 1
            masked = _NO_LINE_BREAK.sub(MASK, text[first:last])
            pieces += (text[done:first], masked.removeprefix(MASK) if start < self._covered else masked)
            done, covered = last, end - stop
        cut = place.of_flat(until)
        pieces.append(text[done:cut])
        self._held, self._covered = text[cut:], covered
        return "".join(pieces)


class _Places(msgspec.Struct, frozen=True, kw_only=True):
    """Leads from positions in a text without its line breaks back to the text."""

    breaks_before: list[int]  # for each line break, how many other characters stand before it
    length: int

    @staticmethod
    def of(text: str) -> _Places:
        lines = text.replace("\r", "\n").split("\n")
        return _Places(breaks_before=list(accumulate(map(len, lines[:-1]))), length=len(text))

    def of_flat(self, position: int) -> int:
        return min(self.length, position + bisect_right(self.breaks_before, position))


class _Automaton(msgspec.Struct, frozen=True, kw_only=True):
    search: Any  # ahocorasick has no types; its values are (length of the anchor, spellings)
    openings: frozenset[str]  # every beginning of an anchor
    endings: frozenset[str]  # the last characters of those that have as many as `_SHORT`

    def scan(self, text: str) -> tuple[list[tuple[int, int]], int]:
        regions: list[tuple[int, int]] = []
        size = len(text)
        undecided = size
        for last, (length, spellings) in self.search.iter(text):
            start = last - length + 1
            for spelling in spellings:
                end = start + len(spelling)
                if end <= size:
                    if text.startswith(spelling, start):
                        regions.append((start, end))
                        break
                elif start < undecided and spelling.startswith(text[start:]):
                    undecided = start
        longest = _ANCHOR - 1 if text[-_SHORT:] in self.endings else _SHORT - 1
        for count in range(min(size, longest), 0, -1):
            if text[-count:] in self.openings:
                undecided = min(undecided, size - count)
                break
        return _merged(regions) if len(regions) > 1 else regions, undecided


def _compile(by_anchor: dict[str, set[str]]) -> _Automaton:
    import ahocorasick

    search = ahocorasick.Automaton()
    rank = {ord(char): chr(order) for order, char in enumerate(_COMMON)}
    for char in _COMMON:  # it tries the branches of a node in the order they came
        search.add_word(char + "\0\0", (3, ()))
    for anchor in sorted(by_anchor, key=lambda each: each.translate(rank)):
        longest_first = tuple(sorted(by_anchor[anchor], key=len, reverse=True))
        search.add_word(anchor, (len(anchor), longest_first))
    search.make_automaton()
    openings = frozenset(anchor[:size] for anchor in by_anchor for size in range(1, len(anchor)))
    endings = frozenset(opening[-_SHORT:] for opening in openings if len(opening) >= _SHORT)
    return _Automaton(search=search, openings=openings, endings=endings)


def _merged(regions: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Regions in order, those that overlap or touch made one, empty ones left out."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(regions):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return merged
