"""Asking a judge that says nothing when all is well."""

from collections.abc import Callable

from agent.errors import DockwrightError


def objection(judge: Callable[[], object]) -> str:
    """What it refuses with, or "" where it has nothing against it."""
    try:
        judge()
    except DockwrightError as error:
        return str(error)
    return ""
