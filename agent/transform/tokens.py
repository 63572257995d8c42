"""Where the `#{…}` of a text begin and end: only to say which of them changed what, never to evaluate them.

The language itself decides what a token is (`agent/variables`); whoever uses these spans checks that they add up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TEXT = re.compile(r"##(?=#\{.)|##\{|#\{|#.|#\Z", re.DOTALL)
_INSIDE = re.compile(r'#\{|\}|\\"|"[^"#]*"')
_OPENING = re.compile(r"#\{\s*(if|unless|each)\s", re.IGNORECASE)
_CLOSING = re.compile(r"#\{/(if|unless|each)\}")

Span = tuple[int, int]


def top_level_tokens(text: str) -> list[Span]:
    """The outermost tokens and blocks, and the escapes `##{`, in order. One pass, whatever stays open."""
    scan = _Scan(text=text)
    position, prefix = 0, 0
    while match := _TEXT.search(text, position):
        start, position = match.span()
        if match[0] == "##":
            prefix = 2
            continue
        if match[0] == "##{":
            scan.spans.append(match.span())
        elif match[0] == "#{":
            position = scan.token(start - prefix, start)
        prefix = 0
    return scan.spans


@dataclass(kw_only=True)
class _Scan:
    """`blocks` are those still open: their kind, where they begin, and how many spans came before them."""

    text: str
    spans: list[Span] = field(default_factory=list)
    blocks: list[tuple[str, int, int]] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)

    def token(self, begin: int, start: int) -> int:
        """Note the token at `start`; where to go on. A closing token takes in all spans since its opening one."""
        if closing := _CLOSING.match(self.text, start):
            self.close(closing)
            return closing.end()
        if start not in self.ends:
            self.find_ends(start)
        end = self.ends[start]
        if end < 0:
            return start + 2
        if opening := _OPENING.match(self.text, start):
            self.blocks.append((opening[1].lower(), begin, len(self.spans)))
        self.spans.append((begin, end))
        return end

    def close(self, closing: re.Match[str]) -> None:
        if closing[1] not in (kind for kind, _, _ in self.blocks[-64:]):
            return
        while (block := self.blocks.pop())[0] != closing[1]:
            pass
        del self.spans[block[2] :]
        self.spans.append((block[1], closing.end()))

    def find_ends(self, start: int) -> None:
        """Just behind the brace that closes the token at `start` and each one in it; -1 where none does."""
        waiting: list[int] = []
        position = start
        while match := _INSIDE.search(self.text, position):
            position = match.end()
            if match[0] == "#{":
                waiting.append(match.start())
            elif match[0] == "}":
                self.ends[waiting.pop()] = position
                if not waiting:
                    return
            elif match[0] == '\\"':
                closing = self.text.find('\\"', position)
                position = closing + 2 if closing >= 0 else position
        self.ends.update(dict.fromkeys(waiting, -1))
