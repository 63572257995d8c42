"""One variable, as a file, the environment or a step gave it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Variable:
    """A name and its value, not yet expanded. The value never shows in a representation.

    `value` is None where the server sent null; `source` says where it came from, for messages.
    """

    name: str
    value: str | None = field(repr=False)
    sensitive: bool = False
    source: str = ""
