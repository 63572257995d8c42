"""The list of stages as rich draws it: values in, lines out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, assert_never

from rich.console import OverflowMethod, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from agent.report.events import Transferred
from agent.report.wording import duration, transferred

_MOST_TRANSFERS = 4

_State = Literal["planned", "running", "done", "failed"]
_STYLE: Mapping[_State, str] = {"planned": "dim", "running": "cyan", "done": "green", "failed": "bold red"}
_MARK: Mapping[_State, str] = {"planned": "·", "running": "●", "done": "✓", "failed": "✗"}
_ASCII_MARK: Mapping[_State, str] = {"planned": ".", "running": "*", "done": "+", "failed": "x"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A stage in the list; `began` by the clock, `seconds` once it has ended."""

    name: str
    state: _State = "planned"
    detail: str = ""
    began: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class StageList:
    """All stages; the transfers belong to `current`, the stage that began last."""

    rows: tuple[Row, ...] = ()
    current: str = ""
    transfers: tuple[Transferred, ...] = field(default=())

    def begin(self, name: str, now: float) -> StageList:
        """With the stage running; one that nobody planned comes last."""
        known = any(row.name == name for row in self.rows)
        grown = self if known else replace(self, rows=(*self.rows, Row(name=name)))
        started = grown._change(name, lambda row: replace(row, state="running", began=now))
        return replace(started, current=name)

    def note(self, name: str, text: str) -> StageList:
        return self._change(name, lambda row: replace(row, detail=f"{row.detail}, {text}" if row.detail else text))

    def end(self, name: str, state: Literal["done", "failed"], seconds: float) -> StageList:
        ended = self._change(name, lambda row: replace(row, state=state, seconds=seconds))
        return replace(ended, transfers=())

    def transfer(self, event: Transferred) -> StageList:
        others = tuple(each for each in self.transfers if each.label != event.label)
        return replace(self, transfers=others if event.finished else (*others, event))

    def _change(self, name: str, change: Callable[[Row], Row]) -> StageList:
        return replace(self, rows=tuple(change(row) if row.name == name else row for row in self.rows))


def draw(stages: StageList, now: float, *, ascii_only: bool) -> RenderableType:
    """One line a stage, and one a transfer below the stage that it belongs to."""
    table = Table.grid(
        Column(width=1),
        Column(no_wrap=True),
        Column(ratio=1, no_wrap=True, overflow=_overflow(ascii_only)),
        Column(no_wrap=True, justify="right"),
        padding=(0, 1),
        expand=True,
    )
    marks = _ASCII_MARK if ascii_only else _MARK
    for row in stages.rows:
        table.add_row(
            Text(marks[row.state], style=_STYLE[row.state]),
            Text(row.name, style="dim" if row.state == "planned" else "bold"),
            Text(row.detail.replace("\n", " ")),
            Text(_elapsed(row, now), style="dim"),
        )
        if row.name == stages.current:
            for each in stages.transfers[-_MOST_TRANSFERS:]:
                table.add_row("", "", _transfer(each, _overflow(ascii_only)), "")
    return Padding(table, (0, 1))


def _overflow(ascii_only: bool) -> OverflowMethod:
    """How text that is too long ends; an ellipsis is no ASCII."""
    return "crop" if ascii_only else "ellipsis"


def _elapsed(row: Row, now: float) -> str:
    match row.state:
        case "planned":
            return ""
        case "running":
            return duration(now - row.began)
        case "done" | "failed":
            return duration(row.seconds)
        case _:
            assert_never(row.state)


def _transfer(event: Transferred, overflow: OverflowMethod) -> RenderableType:
    text = Text(transferred(event.done, event.total), style="dim")
    label = Text(event.label.replace("\n", " "))
    if event.total <= 0:
        return Text.assemble(label, " ", text)
    line = Table.grid(
        Column(max_width=24, no_wrap=True, overflow=overflow),
        Column(width=14),
        Column(no_wrap=True, overflow="crop"),
        padding=(0, 1),
    )
    line.add_row(label, ProgressBar(total=event.total, completed=event.done, width=14), text)
    return line
