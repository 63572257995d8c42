"""The little language inside `xdt:Transform` and `xdt:Locator`: a name, and arguments in parentheses."""

from __future__ import annotations

import re
from typing import Final

from agent.transform.xdt.report import Problem

MAXIMUM_CHARACTERS: Final = 16_384

_CALL = re.compile(r"\s*(\w+)(?:\s*\((.*)\))?\s*", re.DOTALL)


def parse_call(value: str) -> tuple[str, str]:
    """The name and the text between the outermost parentheses, `` if there is none."""
    if len(value) > MAXIMUM_CHARACTERS:
        raise Problem(f"Transform and Locator attributes may have at most {MAXIMUM_CHARACTERS:,} characters")
    found = _CALL.fullmatch(value)
    if found is None:
        raise Problem(
            "Transform and Locator attributes must contain only a type name, or a type name followed by a list of "
            "attributes in parentheses."
        )
    return found.group(1), found.group(2) or ""


def split_arguments(text: str) -> list[str]:
    """The arguments, split at each comma outside of parentheses and then trimmed; quotes protect nothing.

    Without any comma the one argument is not trimmed. As the reference.
    """
    if not text:
        return []
    if "," not in text:
        return [text]
    arguments: list[str] = []
    waiting: list[str] = []
    depth = 0
    for piece in text.split(","):
        waiting.append(piece)
        depth += piece.count("(") - piece.count(")")
        if depth == 0:
            arguments.append(",".join(waiting).strip())
            waiting = []
    if waiting:
        arguments.append(",".join(waiting).strip())
    return arguments
