"""Python before 3.11.5, which Debian 12 has, mismatches possessive groups: `(?:...)*+`. None may be in a pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
codes: Any = import_module("re._constants")
parser: Any = import_module("re._parser")
NEED_AN_EXTRA = {("windows", "winrm", "kerberos")}
SINGLE = (codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN)


def test_no_pattern_has_a_possessive_group() -> None:
    guilty = {where for where, pattern in patterns() if possessive_groups(pattern)}
    assert guilty == set()


@pytest.mark.parametrize("pattern", [r"(?:ab|c)*+d", r"x(?P<a>(?:ab)?+)", r"[a]*+(?=(?:ab|c)++)", r"(?>(?:ab)*+)"])
def test_possessive_group_is_found(pattern: str) -> None:
    assert possessive_groups(re.compile(pattern))


def patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """The patterns that are made when modules are imported, and where they are."""
    files = [file for top in ("agent", "steps", "linux", "windows") for file in (ROOT / top).rglob("*.py")]
    for file in sorted(files):
        parts = file.relative_to(ROOT).with_suffix("").parts
        if "__main__" in parts or "examples" in parts or parts in NEED_AN_EXTRA:
            continue
        for name, value in vars(import_module(".".join(parts).removesuffix(".__init__"))).items():
            for pattern in found_in(value):
                yield f"{'.'.join(parts)}.{name}", pattern


def found_in(value: object) -> Iterator[re.Pattern[Any]]:
    owner = getattr(value, "__self__", value)
    values = owner.values() if isinstance(owner, dict) else owner if isinstance(owner, tuple | list) else [owner]
    yield from (pattern for pattern in values if isinstance(pattern, re.Pattern))


def possessive_groups(pattern: re.Pattern[Any]) -> bool:
    return _has_group(parser.parse(pattern.pattern, pattern.flags))


def _has_group(tree: Any) -> bool:
    if isinstance(tree, parser.SubPattern):
        return any(_is_possessive_group(*item) or _has_group(item[1]) for item in tree)
    return isinstance(tree, tuple | list) and any(_has_group(part) for part in tree)


def _is_possessive_group(code: object, argument: Any) -> bool:
    return code is codes.POSSESSIVE_REPEAT and not (len(argument[2]) == 1 and argument[2][0][0] in SINGLE)
