"""The instructions of a Dockerfile: on which lines they stand, and the words that they are made of.

The classic builder counts instructions (`Step 3/7`), BuildKit counts layers, and neither says a line. Only
boundaries and words are found here; the engine judges the rest. Line rules as in Docker's own parser: the escape
directive, continuations in which comments and blank lines vanish, heredocs.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*\Z")
_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)\Z")
_WITH_HEREDOC = frozenset({"RUN", "COPY", "ADD"})
_BLANKS = " \t\r\v\f"


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """`line` is its first one, from 1; `raw` is joined to one line as Docker joins it, without heredocs.

    `bodies` are the contents of its heredocs, `escape` the character that the Dockerfile escapes with.
    """

    line: int
    raw: str
    bodies: tuple[str, ...] = ()
    escape: str = "\\"

    @property
    def text(self) -> str:
        """To be shown: with single spaces."""
        return " ".join(self.raw.split())

    @property
    def keyword(self) -> str:
        return self.raw.split(None, 1)[0].upper()

    @property
    def words(self) -> tuple[str, ...]:
        """Its arguments, flags among them, without their quotes; those of the JSON form as they are there."""
        rest = self.raw[len(self.keyword) :].strip()
        flags = re.match(r"(?:--\S+\s+)*", rest)
        end = flags.end() if flags else 0
        listed = _json_words(rest[end:])
        if listed is not None:
            return (*rest[:end].split(), *listed)
        return tuple(_bare(word, self.escape) for word in _words(rest, self.escape) or rest.split())


def instructions(dockerfile: str) -> list[Instruction]:
    lines = [line.removesuffix("\r") for line in dockerfile.removeprefix("\ufeff").split("\n")]
    return list(_instructions(lines))


def frontend(dockerfile: str) -> str:
    """The image that BuildKit would let read the Dockerfile in its place; "" for its own reader.

    As BuildKit: a directive behind `#` or `//`, even below a `#!` line, or a JSON object with that key.
    """
    text = dockerfile.removeprefix("\ufeff")
    if text.lstrip().startswith("{"):
        found = re.search(r'"syntax"\s*:\s*"([^"]*)"', text, re.IGNORECASE)
        return found[1] if found else ""
    for at, line in enumerate(text.split("\n")):
        if at == 0 and line.startswith("#!"):
            continue
        directive = _DIRECTIVE.match(re.sub(r"^//", "#", line.strip()))
        if directive is None:
            return ""
        if directive[1].lower() == "syntax":
            return directive[2]
    return ""


def label_dockerfile(image: str, labels: Mapping[str, str]) -> str:
    """A Dockerfile that gives `image` all labels in one instruction. Values are literal: nothing is expanded."""
    pairs = " ".join(f"{_quoted(name)}={_quoted(value)}" for name, value in sorted(labels.items()))
    return f"FROM {image}\nLABEL {pairs}\n"


def _quoted(text: str) -> str:
    """As one word of an instruction; a line break, which no instruction can hold, becomes a space."""
    escaped = re.sub(r'(["\\$])', r"\\\1", " ".join(text.splitlines()))
    return f'"{escaped}"'


def _instructions(lines: list[str]) -> Iterator[Instruction]:
    escape = _escape(lines)
    ends = _Ends(lines)
    at = 0
    while at < len(lines):
        first = at
        part, continued = _part(lines[at].lstrip(), escape)
        at += 1
        if _is_blank(part) and not continued:
            continue
        parts = [part]
        while continued and at < len(lines):
            line = lines[at]
            at += 1
            if not _is_blank(line):
                part, continued = _part(line, escape)
                parts.append(part)
        raw = "".join(parts).strip()
        if raw:
            instruction = Instruction(line=first + 1, raw=raw, escape=escape)
            bodies, at = _heredocs(lines, at, instruction, ends)
            yield Instruction(line=first + 1, raw=raw, bodies=bodies, escape=escape)


def _escape(lines: list[str]) -> str:
    """As given by a directive; directives stand before everything else."""
    for line in lines:
        directive = _DIRECTIVE.match(line.lstrip())
        if directive is None:
            return "\\"
        if directive[1].lower() == "escape" and directive[2] in ("\\", "`"):
            return directive[2]
    return "\\"


def _is_blank(line: str) -> bool:
    text = line.strip()
    return not text or text.startswith("#")


def _part(line: str, escape: str) -> tuple[str, bool]:
    """(the line without its continuation, whether it goes on): an escaped escape at the end is no continuation."""
    if line.lstrip().startswith("#"):
        return "", False
    text = line.rstrip(" \t")
    if text.endswith(escape) and not text.endswith(escape * 2):
        return text[:-1], True
    return line, False


class _Ends:
    """Where a line stands next, found without going through all lines again for every heredoc."""

    def __init__(self, lines: list[str]) -> None:
        self._places: dict[tuple[str, bool], list[int]] = {}
        for at, line in enumerate(lines):
            self._places.setdefault((line, False), []).append(at)
            self._places.setdefault((line.lstrip("\t"), True), []).append(at)

    def after(self, at: int, name: str, *, chomp: bool) -> int | None:
        places = self._places.get((name, chomp), [])
        found = bisect_left(places, at)
        return places[found] if found < len(places) else None


def _heredocs(lines: list[str], at: int, instruction: Instruction, ends: _Ends) -> tuple[tuple[str, ...], int]:
    """The bodies, and where the lines go on; one that never ends is left for the engine to complain about."""
    bodies: list[str] = []
    for name, chomp in _openings(instruction):
        end = ends.after(at, name, chomp=chomp)
        if end is not None:
            bodies.append("\n".join(lines[at:end]))
            at = end + 1
    return tuple(bodies), at


def _openings(instruction: Instruction) -> Iterator[tuple[str, bool]]:
    """(name, whether tabs before lines are dropped) of each heredoc that the instruction opens."""
    keyword, _, rest = instruction.raw.partition(" ")
    if keyword.upper() == "ONBUILD":
        keyword, _, rest = rest.strip().partition(" ")
    if keyword.upper() not in _WITH_HEREDOC or "<<" not in rest or _json_words(rest.strip()) is not None:
        return
    for word in _words(rest, "\\") or ():
        if (match := _HEREDOC.match(word)) and (name := _bare(match[2], "\\")):
            yield name, bool(match[1])


def _json_words(text: str) -> tuple[str, ...] | None:
    """What the JSON form lists; None if it is none."""
    if not text.startswith("["):
        return None
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(listed, list) and all(isinstance(item, str) for item in listed):
        return tuple(listed)
    return None


def _words(text: str, escape: str) -> list[str] | None:
    """Cut at blanks outside of quotes, which stay; None if a quote never ends."""
    found: list[str] = []
    word = quote = ""
    at = 0
    while at < len(text):
        character = text[at]
        if character == escape and quote != "'" and at + 1 < len(text):
            word += text[at : at + 2]
            at += 2
            continue
        if quote or character not in _BLANKS:
            quote = "" if character == quote else quote or (character if character in "\"'" else "")
            word += character
        elif word:
            found.append(word)
            word = ""
        at += 1
    return None if quote else [*found, word] if word else found


def _bare(word: str, escape: str) -> str:
    """Without quotes and escapes."""
    pattern = rf"'([^']*)'|{re.escape(escape)}(.)|[\"']"
    return re.sub(pattern, lambda match: (match[1] or "") + (match[2] or ""), word, flags=re.DOTALL)
