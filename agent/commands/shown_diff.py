"""What may be shown of two versions of a configuration file: the lines that differ, without what may be a secret.

An image does not say which of its values are secret. So everything counts as one that is named like one, that
stands below a section named so, or that looks like a token; names are shown, values are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from agent.transform.text import decode

MASK: Final = "********"
EVERYTHING: Final = ""

_MOST_LINES: Final = 5_000
_LONGEST_LINE: Final = 1_000
_SENSITIVE = re.compile(
    r"pass(?:word|phrase|wd)|pwd|secret|token|credential|connection_?-?string|api_?-?key|private|account_?-?key"
    r"|access_?-?key|shared_?-?key|signing|certificate|\bsas\b|\bauth|\bkey\b(?!\s*=\s*[\"'])|://[^/:\s\"'@]*:[^/\s\"'@]+@",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[A-Za-z0-9+/_=-]{24,}")
_NAME = re.compile(r"""\s*(?:[-\[{,]\s*)*(?:"[^"]{1,200}"|'[^']{1,200}'|[\w.:/$ -]{1,200}?)\s*[:=]\s?""")
_ELEMENT = re.compile(r"""\s*<[\w:.-]{1,100}(?:\s+(?:key|name)\s*=\s*(?:"[^"]{0,200}"|'[^']{0,200}'))?""")


def shown_diff(
    before: bytes, after: bytes, path: str, secret_names: Sequence[str] = (), *, show: bool = False
) -> str:
    """A unified diff; empty if only bytes differ that are no text.

    Values are masked as above, unless `show`; those below `secret_names` (names of variables that are known to be
    secret) are masked always, and with `EVERYTHING` among these all values are.
    """
    old, new = (decode(side).text.splitlines() for side in (before, after))
    if len(old) + len(new) > _MOST_LINES:
        return f"({len(old):,} lines before, {len(new):,} after: too many to show)"
    names = frozenset(words[-1].lower() for name in secret_names if (words := re.findall(r"[\w-]+", name)))
    if EVERYTHING in secret_names:
        names |= {EVERYTHING}
    masked = [_masked(side, names, show=show) for side in (old, new)]
    return "\n".join(_unified(old, new, masked[0], masked[1], path))


def is_sensitive(name: str) -> bool:
    """Whether what is called so is taken for a secret."""
    return _SENSITIVE.search(name) is not None


def _unified(
    old: Sequence[str], new: Sequence[str], old_shown: Sequence[str], new_shown: Sequence[str], path: str
) -> Iterator[str]:
    """The lines themselves are compared; their masked forms are shown."""
    from difflib import SequenceMatcher

    yield f"--- a/{path}"
    yield f"+++ b/{path}"
    for group in SequenceMatcher(None, old, new).get_grouped_opcodes(2):
        yield f"@@ -{group[0][1] + 1},{group[-1][2] - group[0][1]} +{group[0][3] + 1},{group[-1][4] - group[0][3]} @@"
        for kind, start, end, new_start, new_end in group:
            if kind == "equal":
                yield from (f" {line}" for line in old_shown[start:end])
            else:
                yield from (f"-{line}" for line in old_shown[start:end])
                yield from (f"+{line}" for line in new_shown[new_start:new_end])


def _masked(lines: Sequence[str], names: frozenset[str], *, show: bool) -> list[str]:
    """Each line as it may be shown. `above` are the lines that open the sections around the one that is looked at."""
    above: list[tuple[int, bool]] = []
    shown = []
    block = False
    for line in lines:
        if len(line) > _LONGEST_LINE:
            shown.append(f"({len(line):,} characters in one line)")
            continue
        block = block or "-----BEGIN" in line
        margin = _margin(line)
        while line.strip() and above and above[-1][0] >= margin:
            above.pop()
        known = _speaks_of(line, names)
        guessed = not show and (block or _SENSITIVE.search(line) is not None)
        inherited = bool(above) and above[-1][1]
        secret = known or guessed or inherited
        shown.append(_without_value(line) if secret else line if show else _TOKEN.sub(_mask_token, line))
        if line.strip():
            above.append((margin, secret))
        block = block and "-----END" not in line
    return shown


def _mask_token(found: re.Match[str]) -> str:
    """Words and paths have no digits, as a rule, and numbers no letters."""
    text = found.group()
    return MASK if any(map(str.isdigit, text)) and any(map(str.isalpha, text)) else text


def _margin(line: str) -> int:
    """How deep a line is. Items of a YAML list belong to the line above, though they may begin below its start."""
    indent = len(line) - len(line.lstrip(" \t"))
    return indent + line.startswith("-", indent)


def _speaks_of(line: str, names: frozenset[str]) -> bool:
    return EVERYTHING in names or (bool(names) and not names.isdisjoint(re.findall(r"[\w-]+", line.lower())))


def _without_value(line: str) -> str:
    """The name, and nothing of what follows it. A line that opens a section is left as it is."""
    if not line.strip(" \t{}[](),<>/"):
        return line
    found = _ELEMENT.match(line) or _NAME.match(line)
    if found is None:
        return line[: len(line) - len(line.lstrip())] + MASK
    rest = line[found.end() :].strip()
    return line if rest in ("", "{", "[", ">", "|", ">-", "|-") else f"{found.group().rstrip()} {MASK}"
