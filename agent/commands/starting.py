"""`dockwright init`: a ready bundle around something that exists. Which kinds there are is found by entry point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from agent.documents import closest
from agent.errors import InputError

SITES = "dockwright.sites"


class Started(Protocol):
    """What a kind of site gives back: the files it wrote, what it found, what to think of, what to do next."""

    @property
    def files(self) -> tuple[Path, ...]: ...
    @property
    def found(self) -> tuple[str, ...]: ...
    @property
    def notes(self) -> tuple[str, ...]: ...
    @property
    def next_steps(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, kw_only=True)
class Start:
    """What the command line asked for."""

    kind: str
    path: Path
    name: str
    into: Path


def start(asked: Start) -> Started:
    """Write the files. InputError for a kind that is not known, or something that is none of it."""
    points = entry_points(group=SITES)
    point = next((each for each in points if each.name == asked.kind), None)
    if point is None:
        raise InputError(f"there is no '{asked.kind}' to begin with{closest(asked.kind, sorted(points.names))}")
    write: Callable[[Path, str, Path], Started] = point.load()
    return write(asked.path, asked.name, asked.into)


def lines(started: Started) -> list[str]:
    """What happened, for a person."""
    told = ["Found:", *(f"  {line}" for line in started.found), "Written:", *(f"  {path}" for path in started.files)]
    if started.notes:
        told += ["To think of:", *(f"  - {line}" for line in started.notes)]
    return [*told, "Next:", *(f"  {line}" for line in started.next_steps)]
