"""`appsettings.json`: its values by the names of the variables that replace them."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

_LARGEST = 1_000_000
_MOST = 1_000
_COMMENT_LINE = re.compile(rb"^[ \t]*+//[^\n]*$", re.MULTILINE)


def read_settings(path: Path) -> list[tuple[str, str]]:
    """Names as `ConnectionStrings:Shop` with their values; nothing for a file that is not plain JSON.

    A deployment reads such a file itself, with all that .NET allows in it, and says what is wrong.
    """
    try:
        if path.stat().st_size > _LARGEST:
            return []
        text = _COMMENT_LINE.sub(b"", path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
        top: object = msgspec.json.decode(text)
    except (OSError, msgspec.DecodeError, RecursionError):
        return []
    return _leaves(top)


def _leaves(top: object) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    waiting: list[tuple[str, object]] = [("", top)]
    while waiting and len(found) < _MOST:
        name, value = waiting.pop()
        prefix = f"{name}:" if name else ""
        if isinstance(value, dict):
            waiting += [(f"{prefix}{key}", each) for key, each in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(f"{prefix}{index}", each) for index, each in reversed(list(enumerate(value)))]
        elif name:
            found.append((name, value if isinstance(value, str) else ""))
    return found
