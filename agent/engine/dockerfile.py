"""Where the instructions of a Dockerfile stand, to say on which line a build failed.

The classic builder counts instructions (`Step 3/7`) and knows no lines. Only boundaries are found here; the
engine judges the contents. Line rules as in Docker: the escape directive, continuations in which comments
and blank lines vanish, heredocs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*(.*?)\s*\Z")
_HEREDOC = re.compile(r"(?<!<)<<(?!<)(-?)([\"']?)(\w+)\2")
_WITH_HEREDOC = frozenset({"RUN", "COPY", "ADD"})


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """`line` is its first one, from 1; `text` is joined to one line, without the bodies of heredocs."""

    line: int
    text: str

    @property
    def keyword(self) -> str:
        return self.text.split(None, 1)[0].upper()


def instructions(dockerfile: str) -> list[Instruction]:
    return list(_instructions(dockerfile.removeprefix("\ufeff").splitlines()))


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
    at = 0
    while at < len(lines):
        if _is_blank(lines[at]):
            at += 1
            continue
        first = at
        parts: list[str] = []
        continued = True
        while continued and at < len(lines):
            line = lines[at].rstrip()
            at += 1
            if parts and _is_blank(line):
                continue
            continued = line.endswith(escape)
            parts.append((line[:-1] if continued else line).strip())
        instruction = Instruction(line=first + 1, text=" ".join(part for part in parts if part) or escape)
        at = _after_heredocs(lines, at, instruction)
        yield instruction


def _escape(lines: list[str]) -> str:
    """As given by a directive; directives stand before everything else."""
    for line in lines:
        directive = _DIRECTIVE.match(line.strip())
        if directive is None:
            return "\\"
        if directive[1].lower() == "escape" and directive[2] in ("\\", "`"):
            return directive[2]
    return "\\"


def _is_blank(line: str) -> bool:
    text = line.strip()
    return not text or text.startswith("#")


def _after_heredocs(lines: list[str], at: int, instruction: Instruction) -> int:
    if instruction.keyword not in _WITH_HEREDOC:
        return at
    for dash, _quote, name in _HEREDOC.findall(instruction.text):
        body = (line.lstrip("\t") if dash else line for line in lines[at:])
        at += next((count for count, line in enumerate(body, start=1) if line == name), 0)
    return at
