"""One deployment at several places, so many at once and in order: after a failure it goes no further.

Whoever asked then needs to know one thing above all: what stands where.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from agent.errors import DockwrightError
from agent.report import Report
from agent.report.events import (
    Event,
    Failed,
    Level,
    Message,
    Output,
    StageEnded,
    StageStarted,
    Succeeded,
    VariableSet,
)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How one place came out of it, in words that follow its name."""

    place: str
    said: str = "was not begun"
    exit_code: int = 0


class RolledError(DockwrightError):
    """It failed at a place; the exit code is that of the first failure."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def roll(
    places: Sequence[T], at_once: int, attempt: Callable[[T], Standing], name: Callable[[T], str]
) -> list[Standing]:
    """Attempt each, `at_once` at a time; after a failure begin no further one. How all of them stand, in order.

    One at a time is done by the calling thread, so that an interrupt reaches what is under way. Several at once go
    to their end before the interrupt is passed on.
    """
    standings: list[Standing] = []
    while len(standings) < len(places) and not any(one.exit_code for one in standings):
        batch = places[len(standings) : len(standings) + at_once]
        if len(batch) == 1:
            standings.append(attempt(batch[0]))
            continue
        with ThreadPoolExecutor(len(batch)) as pool:
            standings.extend(pool.map(attempt, batch))
    return [*standings, *(Standing(place=name(place)) for place in places[len(standings) :])]


def require_success(standings: Sequence[Standing]) -> None:
    """RolledError with the first failure's exit code, and what stands where."""
    failed = next((one for one in standings if one.exit_code), None)
    if failed is not None:
        raise RolledError("; ".join(f"{one.place} {one.said}" for one in standings), failed.exit_code)


def tell(event: Event, place: str, report: Report) -> None:
    """Say what happens at one of several places, each line with its name before it."""
    for level, line in _lines(event):
        _say(report, level)(f"{place}: {line}")


def _say(report: Report, level: Level) -> Callable[[str], None]:
    match level:
        case "verbose":
            return report.verbose
        case "warning":
            return report.warning
        case _:  # an error's line is only one of many here; the end says what failed
            return report.info


def _lines(event: Event) -> list[tuple[Level, str]]:
    level: Level = "info"
    text = ""
    match event:
        case Message():
            level, text = event.level, event.text
        case Output():
            text = event.text
        case StageStarted(name=name):
            text = f"{name} …"
        case StageEnded(name=name, state=state, seconds=seconds):
            text = f"{name} {state} ({seconds:.1f} s)"
        case Failed(message=message):
            text = "\n".join(chain([f"failed: {message}"], event.lines))
        case Succeeded():
            text = "succeeded"
        case VariableSet(name=name):
            text = f"output {name}"
    return [(level, line) for line in text.splitlines()]
