"""Where the `#{…}` of a text begin and end: only to say which of them changed what, never to evaluate them.

The language itself decides what a token is (`agent/variables`); whoever uses these spans checks that they add up.
"""

from __future__ import annotations

import re

_TEXT = re.compile(r"##(?=#\{.)|##\{|#\{|#.|#\Z", re.DOTALL)
_INSIDE = re.compile(r'#\{|\}|\\"|"[^"#]*"')
_OPENING = re.compile(r"#\{\s*(if|unless|each)\s", re.IGNORECASE)
_CLOSING = re.compile(r"#\{/(if|unless|each)\}")

Span = tuple[int, int]


def top_level_tokens(text: str) -> list[Span]:
    """The outermost tokens and blocks, and the escapes `##{`, in order. One pass, whatever stays open."""
    spans: list[Span] = []
    open_blocks: list[tuple[str, int, int]] = []
    position, prefix = 0, 0
    while match := _TEXT.search(text, position):
        start, position = match.span()
        if match[0] == "##":
            prefix = 2
            continue
        if match[0] == "##{":
            spans.append(match.span())
        elif match[0] == "#{":
            position = _token(text, start - prefix, start, spans, open_blocks)
        prefix = 0
    return spans


def _token(text: str, begin: int, start: int, spans: list[Span], blocks: list[tuple[str, int, int]]) -> int:
    """Note the token at `start`; where to go on. A closing token takes in all spans since its opening one."""
    if closing := _CLOSING.match(text, start):
        kinds = [kind for kind, _, _ in blocks[-64:]]
        if closing[1] in kinds:
            while (block := blocks.pop())[0] != closing[1]:
                pass
            del spans[block[2] :]
            spans.append((block[1], closing.end()))
        return closing.end()
    end = _token_end(text, start)
    if end < 0:
        return start + 2
    if opening := _OPENING.match(text, start):
        blocks.append((opening[1].lower(), begin, len(spans)))
    spans.append((begin, end))
    return end


def _token_end(text: str, start: int) -> int:
    """Just behind the brace that closes the token at `start`; -1 if none does within a token's length."""
    depth, position, limit = 0, start, min(len(text), start + 4096)
    while match := _INSIDE.search(text, position, limit):
        position = match.end()
        if match[0] == "#{":
            depth += 1
        elif match[0] == "}":
            depth -= 1
            if depth == 0:
                return position
        elif match[0] == '\\"':
            closing = text.find('\\"', position, limit)
            position = closing + 2 if closing >= 0 else position
    return -1
