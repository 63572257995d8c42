"""A live list of the stages for a person at a terminal.

    ✓ acquire    MyWebApp 1.2.0, 42.6 MB                       0.4 s
    ● push       pushing ━━━━━━━━━━━━━ 12.3 MB of 40.0 MB         3 s
    · run

What a build prints scrolls by above the list. Colours are the terminal's own sixteen, so that they suit a dark
theme and a light one; the marks tell the same without colours.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import IO, Literal, assert_never, cast

from rich.console import Console, Group, OverflowMethod, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from agent.report.events import (
    ArtifactMade,
    Ending,
    Event,
    Failed,
    Message,
    Output,
    Secret,
    SecretLearned,
    StageDetail,
    StageEnded,
    StageEvent,
    StagesPlanned,
    StageStarted,
    Succeeded,
    Transferred,
    VariableSet,
)
from agent.report.sink import Sink, printable
from agent.report.wording import duration, size, transferred

_MOST_TRANSFERS = 4

_State = Literal["planned", "running", "done", "failed"]
_STYLE: Mapping[_State, str] = {"planned": "dim", "running": "cyan", "done": "green", "failed": "bold red"}
_MARK: Mapping[_State, str] = {"planned": "·", "running": "●", "done": "✓", "failed": "✗"}
_ASCII_MARK: Mapping[_State, str] = {"planned": ".", "running": "*", "done": "+", "failed": "x"}


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A stage in the list; `began` by the clock, `seconds` once it has ended."""

    name: str
    state: _State = "planned"
    detail: str = ""
    began: float = 0.0
    seconds: float = 0.0


class TerminalRenderer:
    """Draws with rich, ten times a second whatever happens: a build that prints a lot is not slowed down by it.

    One thread draws; events only change what it will draw.
    """

    transfer_interval = 0.1

    def __init__(
        self,
        sink: Sink,
        environ: Mapping[str, str],
        *,
        verbose: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = Console(
            file=cast("IO[str]", sink),
            force_terminal=True,
            no_color=bool(environ.get("NO_COLOR")),
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._verbose = verbose
        self._clock = clock
        self._rows: tuple[_Row, ...] = ()
        self._transfers: tuple[Transferred, ...] = ()
        self._current = ""  # the stage that began last
        self._live: Live | None = None
        self._pending: list[RenderableType] = []
        self._lock = threading.RLock()
        self._ended = threading.Event()

    def show(self, event: Event) -> None:
        with self._lock:
            self._take(event)
            if self._live is None:
                self._draw()

    def close(self) -> None:
        """Leave the list as it is and give the cursor back."""
        self._ended.set()
        with self._lock:
            self._draw()
            live, self._live = self._live, None
            if live is not None:
                live.stop()
                atexit.unregister(self.close)

    def _take(self, event: Event) -> None:
        match event:
            case StagesPlanned() | StageStarted() | StageDetail() | StageEnded():
                self._stage(event)
            case Output(text=text):
                self._print(self._foreign(text))
            case Message():
                self._message(event)
            case Transferred():
                others = tuple(each for each in self._transfers if each.label != event.label)
                self._transfers = others if event.finished else (*others, event)
            case VariableSet(name=name, value=value):
                if self._verbose:
                    shown = "(sensitive)" if isinstance(value, Secret) else printable(value.text)
                    self._print(Text(f"output variable {name} = {shown}", style="dim"))
            case ArtifactMade(path=path, name=name, length=length):
                self._print(Text(f"artifact {name}: {path} ({size(length)})"))
            case SecretLearned():
                pass
            case Failed() | Succeeded():
                self._end(event)
            case _:
                assert_never(event)

    def _stage(self, event: StageEvent) -> None:
        match event:
            case StagesPlanned(names=names):
                self._rows = tuple(_Row(name=name) for name in names)
                self._start()
            case StageStarted(name=name):
                self._current = name
                if all(row.name != name for row in self._rows):
                    self._rows = (*self._rows, _Row(name=name))
                self._change(name, lambda row: replace(row, state="running", began=self._clock()))
            case StageDetail(name=name, text=text):
                if not name:
                    self._print(Text(text))
                self._change(name, lambda row: replace(row, detail=f"{row.detail}, {text}".lstrip(", ")))
            case StageEnded(name=name, state=state, seconds=seconds):
                self._transfers = ()
                self._change(name, lambda row: replace(row, state=state, seconds=seconds))
            case _:
                assert_never(event)

    def _start(self) -> None:
        if self._live is None:
            self._live = Live(
                console=self._console,
                get_renderable=self._list,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            atexit.register(self.close)
            self._live.start()
            threading.Thread(target=self._keep_drawing, name="terminal", daemon=True).start()

    def _keep_drawing(self) -> None:
        while not self._ended.wait(0.1):
            with self._lock:
                self._draw()

    def _draw(self) -> None:
        pending, self._pending = self._pending, []
        if pending:
            self._console.print(Group(*pending))
        elif self._live is not None:
            self._live.refresh()

    def _change(self, name: str, change: Callable[[_Row], _Row]) -> None:
        self._rows = tuple(change(row) if row.name == name else row for row in self._rows)

    def _list(self) -> RenderableType:
        """One line a stage, and one a transfer below the stage that runs."""
        stages = Table.grid(
            Column(width=1),
            Column(no_wrap=True),
            Column(ratio=1, no_wrap=True, overflow=self._overflow()),
            Column(no_wrap=True, justify="right"),
            padding=(0, 1),
            expand=True,
        )
        for row in self._rows:
            stages.add_row(*self._cells(row))
            if row.name == self._current:
                for each in self._transfers[-_MOST_TRANSFERS:]:
                    stages.add_row("", "", self._transfer(each), "")
        return Padding(stages, (0, 1))

    def _cells(self, row: _Row) -> tuple[RenderableType, ...]:
        marks = _ASCII_MARK if self._console.options.ascii_only else _MARK
        style = _STYLE[row.state]
        return (
            Text(marks[row.state], style=style),
            Text(row.name, style="dim" if row.state == "planned" else "bold"),
            Text(row.detail.replace("\n", " ")),
            Text(self._elapsed(row), style="dim"),
        )

    def _elapsed(self, row: _Row) -> str:
        match row.state:
            case "planned":
                return ""
            case "running":
                return duration(self._clock() - row.began)
            case "done" | "failed":
                return duration(row.seconds)
            case _:
                assert_never(row.state)

    def _transfer(self, event: Transferred) -> RenderableType:
        text = Text(transferred(event.done, event.total), style="dim")
        label = Text(event.label.replace("\n", " "))
        if event.total <= 0:
            return Text.assemble(label, " ", text)
        line = Table.grid(
            Column(max_width=24, no_wrap=True, overflow=self._overflow()),
            Column(width=14),
            Column(no_wrap=True, overflow="crop"),
            padding=(0, 1),
        )
        line.add_row(label, ProgressBar(total=event.total, completed=event.done, width=14), text)
        return line

    def _overflow(self) -> OverflowMethod:
        """How text that is too long ends; an ellipsis is no ASCII."""
        return "crop" if self._console.options.ascii_only else "ellipsis"

    def _message(self, event: Message) -> None:
        match event.level:
            case "info":
                self._print(Text(event.text))
            case "verbose":
                if self._verbose:
                    self._print(Text(event.text, style="dim"))
            case "warning":
                self._print(Text.assemble(("warning: ", "bold yellow"), (event.text, "yellow")))
            case "error":
                self._print(Text.assemble(("error: ", "bold red"), event.text))
            case _:
                assert_never(event.level)

    def _end(self, event: Ending) -> None:
        self.close()
        match event:
            case Failed(stage=stage, message=message, output=output):
                where = f"{stage}: " if stage else ""
                self._print(Text.assemble("\n", ("error: ", "bold red"), f"{where}{message}"))
                for line in output:
                    self._print(self._foreign(line))
            case Succeeded(outputs=outputs, seconds=seconds):
                self._print(Text(f"\nsucceeded in {duration(seconds)}", style="bold green"))
                if outputs:
                    self._print(_summary(outputs))
            case _:
                assert_never(event)

    def _print(self, content: RenderableType) -> None:
        self._pending.append(content)

    def _foreign(self, line: str) -> RenderableType:
        """A line of a build or a container; what does not fit goes on below, indented as far."""
        bar = "  |" if self._console.options.ascii_only else "  │"
        row = Table.grid(Column(width=3), Column(overflow="fold"), padding=(0, 1))
        row.add_row(Text(bar, style="dim"), Text(line, style="dim"))
        return row


def _summary(outputs: tuple[tuple[str, str], ...]) -> RenderableType:
    """Names and values; a long value goes on in the next line, whole, so that it can be copied."""
    table = Table.grid(Column(style="bold", no_wrap=True), Column(overflow="fold"), padding=(0, 2))
    for name, value in outputs:
        table.add_row(Text(name), Text(value))
    return Group(Padding(table, (0, 2)))
