"""Glob patterns as Calamari's targets use them, over a listing of files.

`*`, `?`, `**`, `{a,b}`, `[ab]`, `[a-c]`, `[!a]`. Folders whose names hold brackets or braces match as they stand.
A backslash separates as a slash does: many targets were first written for Windows. Matching takes time in
proportion to the names, whatever the pattern.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from agent.errors import TransformError

MAXIMUM_ALTERNATIVES = 4096
_QUOTE = "\0"
_MAGIC = re.compile(r"[*?\[{]")


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """The names (posix, relative) that match, in their order. TransformError for a pattern beyond all bounds."""
    if "\0" in pattern:
        return []
    expression = compile_glob(pattern)
    return [name for name in names if expression.match(name)]


def is_literal(pattern: str) -> bool:
    """Whether a pattern is just a path."""
    return not _MAGIC.search(pattern)


def normalise(pattern: str) -> str:
    """A pattern with slashes only, none doubled, and no `.` segments; a leading slash stays."""
    pattern = pattern.replace("\\", "/")
    parts = [part for part in pattern.split("/") if part not in {"", "."}]
    return ("/" if pattern.startswith("/") else "") + "/".join(parts)


def compile_glob(pattern: str) -> re.Pattern[str]:
    """One regular expression for a whole pattern, without backtracking between its wildcards."""
    alternatives = dict.fromkeys(_expand_braces(normalise(pattern)))
    flags = re.DOTALL | (re.IGNORECASE if os.path.normcase("A") == "a" else re.NOFLAG)
    return re.compile("|".join(f"(?:{_path_expression(one)})" for one in alternatives), flags)


def _expand_braces(pattern: str) -> list[str]:
    """Every pattern that the `{a,b}` groups stand for; in folders also the group taken literally."""
    if pattern.count("{") > 64:
        raise TransformError(f"the target '{pattern[:80]}…' has too many groups; split it into several targets")
    done: list[str] = []
    waiting = [("", pattern)]
    while waiting:
        head, rest = waiting.pop()
        start = rest.find("{")
        end = _group_end(rest, start)
        if start >= 0 and end < 0:
            head, rest = head + rest[:start] + _QUOTE + "{", rest[start + 1 :]
            waiting.append((head, rest))
        elif start < 0:
            done.append(head + rest)
        else:
            waiting += [(head + rest[:start], item + rest[end + 1 :]) for item in _items(rest[start + 1 : end])]
            if "/" in rest[end:]:
                waiting.append((head + rest[:start] + _quoted(rest[start : end + 1]), rest[end + 1 :]))
        if len(waiting) + len(done) > MAXIMUM_ALTERNATIVES:
            raise TransformError(f"the target '{pattern[:80]}' stands for too many patterns; split it into several")
    return done


def _group_end(text: str, start: int) -> int:
    depth = 0
    for index in range(max(start, 0), len(text)):
        if text[index] == "{":
            depth += 1
        elif text[index] == "}" and depth:
            depth -= 1
            if depth == 0:
                return index
    return -1


def _items(group: str) -> list[str]:
    items, depth, last = [], 0, 0
    for index, character in enumerate(group):
        depth += (character == "{") - (character == "}")
        if character == "," and depth == 0:
            items.append(group[last:index])
            last = index + 1
    return [*items, group[last:]]


def _quoted(text: str) -> str:
    return "".join(_QUOTE + character for character in text)


def _path_expression(pattern: str) -> str:
    """A path as atomic groups: each `**` takes the nearest place where what follows it fits, and keeps it."""
    runs: list[list[str]] = [[]]
    for part in pattern.split("/"):
        if part == "**":
            runs.append([])
        else:
            runs[-1].append(part)
    if len(runs) == 1:
        return _joined(runs[0]) + r"\Z"
    expression = "".join(_segment(part, last=False) + "/" for part in runs[0])
    for run in filter(None, runs[1:-1]):
        expression += "(?>(?:[^/]+/)*?" + "".join(_segment(part, last=False) + "/" for part in run) + ")"
    tail = runs[-1] or ["*"]
    return expression + _last_run(_joined(tail), len(tail))


def _joined(parts: list[str]) -> str:
    return "/".join([*(_segment(part, last=False) for part in parts[:-1]), _segment(parts[-1], last=True)])


def _last_run(ending: str, depth: int) -> str:
    """After the last `**` only the final `depth` segments matter; the look-ahead pins where they begin."""
    return rf"(?>(?:[^/]+/)*?(?=[^/]*(?:/[^/]*){{{depth - 1}}}\Z)){ending}\Z"


def _segment(part: str, *, last: bool) -> str:
    wild = _segment_expression(part, classes=True)
    if last or "[" not in part:
        return wild
    return f"(?:{_segment_expression(part, classes=False)}|{wild})"


def _segment_expression(part: str, *, classes: bool) -> str:
    chunks, index = [""], 0
    while index < len(part):
        character = part[index]
        end = _class_end(part, index) if character == "[" and classes else -1
        if character == _QUOTE:
            index += 1
            chunks[-1] += re.escape(part[index])
        elif character == "*":
            chunks.append("")
        elif character == "?":
            chunks[-1] += "[^/]"
        elif end > 0:
            chunks[-1] += _class_expression(part[index + 1 : end])
            index = end
        else:
            chunks[-1] += re.escape(character)
        index += 1
    return _starred(chunks)


def _starred(chunks: list[str]) -> str:
    if len(chunks) == 1:
        return chunks[0]
    middle = "".join(f"(?>[^/]*?{chunk})" for chunk in chunks[1:-1] if chunk)
    return chunks[0] + middle + "[^/]*" + chunks[-1]


def _class_end(part: str, start: int) -> int:
    return part.find("]", start + 2)


def _class_expression(body: str) -> str:
    negated = body[0] in "!^" and len(body) > 1
    body = body[1:] if negated else body
    inside = re.sub(r"([\\\]\[^&~|])", r"\\\1", body)
    try:
        re.compile(f"[{inside}]")
    except re.error:
        inside = re.escape(body)
    return f"(?:(?!/)[{'^' if negated else ''}{inside}])"
