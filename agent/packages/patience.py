"""How long a feed is tried. Apart from the client that keeps to it, so that a folder feed loads no HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to try: so many attempts that bring nothing, waits that double from `first` to `longest` seconds,
    and no longer than `seconds` in all; a file may take a second more for each megabyte.
    """

    attempts: int = 5
    first: float = 1.0
    longest: float = 30.0
    seconds: float = 1800.0
    pause: Callable[[float], None] = time.sleep
