"""What an XPath may cost at worst. No evaluator can be stopped on its way, so what could take hours is not begun."""

from __future__ import annotations

import re
from typing import Final

MAXIMUM_VISITS: Final = 1_000_000_000
MAXIMUM_FOR_SIDEWAYS_STEPS: Final = 2_000

_LITERAL = re.compile(r"\"[^\"]*\"|'[^']*'")
_PIECE = re.compile(r"(\[)|(\])|((?:following|preceding)(?:-sibling)?\s*::)|((?:(?<=[\[(,=<>|+*!\s])|^)//)")
_PATH_END = re.compile(r"[\[\](),|=<>]|\b(?:and|or)\b")


def is_too_costly(path: str, nodes: int) -> bool:
    """Whether an XPath over a document of so many nodes could visit more than about a billion.

    Inside a predicate, a look over the whole document or sideways is repeated for each node, and again for each
    predicate around it. Outside, lxml needs the square of a sideways step's results to keep each only once.
    """
    path = _LITERAL.sub("''", path)
    depth = exponent = 0
    for piece in _PIECE.finditer(path):
        opens, closes, sideways, _ = piece.groups()
        if opens:
            depth += 1
        elif closes:
            depth -= 1
        elif depth > 0:
            exponent = max(exponent, depth + _sideways_steps_of_one_path(path, piece.start()))
        elif sideways and nodes > MAXIMUM_FOR_SIDEWAYS_STEPS:
            return True
    return exponent > 0 and nodes ** (1 + exponent) > MAXIMUM_VISITS


def _sideways_steps_of_one_path(path: str, start: int) -> int:
    """How many more sideways steps follow the one at `start` in the same path."""
    end = _PATH_END.search(path, start)
    rest = path[start : end.start() if end else len(path)]
    return max(len(re.findall(r"(?:following|preceding)(?:-sibling)?\s*::", rest)) - 1, 0)
