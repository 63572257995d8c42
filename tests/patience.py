"""Waiting for what happens beside a test: as long as a busy machine may need, and no longer than it happens."""

import time
from collections.abc import Callable

PATIENCE = 90.0


def eventually(happened: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Return as soon as it is so; fail if it is not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it has not happened within {seconds:g} seconds"
        time.sleep(0.02)
