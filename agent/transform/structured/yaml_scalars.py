"""How a text is written as a YAML scalar: in the style of the one it replaces where that style can hold it."""

from __future__ import annotations

import json
import re

import msgspec

_SPECIAL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_BREAKS = re.compile("[\n\r\x85\u2028\u2029]")
_NOT_PLAIN = re.compile(
    r"""\Z | [\s,\[\]{}#&*!|>'"%@`] | [-?:](?:\s|\Z) | --- | \.\.\.  # what cannot begin one
    | .*(?::(?:\s|\Z) | \s\# | \s\Z | \t)                         # what cannot be inside, or at the end""",
    re.VERBOSE | re.DOTALL,
)
_FLOW = re.compile(r"[,?\[\]{}:]")
_HEADER = re.compile(r"[|>][-+0-9]*([ \t]+#[^\r\n]*)?(?:(\r\n|\n|\r)|\Z)")
_CONTENT = re.compile(r"[\r\n]([ ]+)[^\s]")


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """Where a scalar stands: in a flow collection or not, and how deep its own lines would be indented."""

    in_flow: bool
    margin: int
    old: str
    """The source text of what it replaces."""


def scalar(value: str, style: str, where: Surroundings) -> str:
    """The source text of a scalar that says `value`. `style` is one of `'`, `"`, `|`, `>`, or empty for plain."""
    if style in {"|", ">"} and not where.in_flow and (text := _block(value, style, where)) is not None:
        return text
    if style == '"' or _SPECIAL.search(value) or _BREAKS.search(value):
        return double_quoted(value)
    if style == "" and is_plain(value, in_flow=where.in_flow):
        return value
    return "'" + value.replace("'", "''") + "'"


def is_plain(value: str, *, in_flow: bool) -> bool:
    """Whether a text of one line can stand without quotes."""
    if _NOT_PLAIN.match(value) or _BREAKS.search(value) or _SPECIAL.search(value):
        return False
    return not (in_flow and _FLOW.search(value))


def double_quoted(value: str) -> str:
    """A scalar in double quotes, on one line."""
    return _SPECIAL.sub(_escaped, json.dumps(value, ensure_ascii=False))


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04X}"


def _block(value: str, style: str, where: Surroundings) -> str | None:
    """A literal or folded scalar without its last newline; None for what these cannot say plainly."""
    header = _HEADER.match(where.old)
    body = value.removesuffix("\n")
    if header is None or not body or body[0] in " \t\n" or body.endswith("\n"):
        return None
    if _SPECIAL.search(body) or body[-1] in " \t":
        return None
    lines = body.split("\n")
    if style == ">" and any(not line or line[0] in " \t" for line in lines):
        style = "|"
    content = _CONTENT.search(where.old, header.end() - 1)
    indent = content[1] if content else " " * (where.margin + 2)
    newline = header[2] or "\n"
    chomping = "" if value.endswith("\n") else "-"
    between = newline * 2 if style == ">" else newline
    written = between.join(indent + line if line else "" for line in lines)
    return f"{style}{chomping}{header[1] or ''}{newline}{written}"
