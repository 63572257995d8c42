"""One transform that is to be run, and what every transform may ask and say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from agent.transform.xdt.arguments import split_arguments
from agent.transform.xdt.report import Place
from agent.transform.xdt.run import Run, Step
from agent.transform.xml.mirror import Found


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a transform works on: the nodes of its path (the first, or `all`), or the first node of its parent path.

    Where there is none, that is a warning for the former and an error for the latter.
    """

    apply: Callable[[Call, Found], None]
    inserts: bool = False
    all: bool = False


@dataclass(kw_only=True)
class Call:
    """One transform to run: `Name(text)` on an element of the transform file."""

    step: Step
    name: str
    text: str
    kind: Kind = field(repr=False)

    @property
    def run(self) -> Run:
        """The run it is part of."""
        return self.step.run

    @cached_property
    def arguments(self) -> list[str]:
        """The arguments, split."""
        return split_arguments(self.text)

    @cached_property
    def place(self) -> Place:
        """Where the Transform attribute stands."""
        return self.run.in_transform(self.step.xdt["Transform"])

    def warn(self, text: str) -> None:
        """Warn at the Transform attribute."""
        self.run.report.warning(text, self.place)

    def changed(self, place: str, old: str | None, new: str | None) -> None:
        """Note a change."""
        self.run.changed(self.step.element, place, old, new)
