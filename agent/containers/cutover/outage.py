"""What a replacement will cost those who ask meanwhile, told before it is made."""

from __future__ import annotations

from typing import assert_never

from agent.containers.cutover.settings import Hold, Proxy, Recreate
from agent.containers.cutover.shape import Shape

STOP_AND_START_SECONDS = 0.5
"""What stopping and starting add to the application's own boot time; measured, rounded up."""


def expected_outage(shape: Shape, boot_seconds: float | None, *, replaces: bool) -> str:
    """In words. `boot_seconds` is how long the application last took to boot, None if unknown."""
    if not replaces:
        return "none: nothing is replaced"
    if isinstance(shape.cutover, Proxy):
        return "none: the proxy leads to the new container once it is healthy"
    if boot_seconds is None:
        gap = "as long as the application takes to boot, and about half a second"
    else:
        gap = f"about {boot_seconds + STOP_AND_START_SECONDS:.1f} s (its last boot took {boot_seconds:.1f} s)"
    match shape.cutover:
        case Recreate():
            return gap
        case Hold(limit=limit):
            return f"none: requests wait {gap}, at most {limit:g} s"
    assert_never(shape.cutover)
