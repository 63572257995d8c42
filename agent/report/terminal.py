"""A live list of the stages for a person at a terminal.

    ✓ acquire    MyWebApp 1.2.0, 42.6 MB                       0.4 s
    ● push                                                       3 s
                 pushing ━━━━━━━━━━━━━ 12.3 MB of 40.0 MB (30%)
    · run

What a build prints scrolls by above the list. Colours are the terminal's own sixteen, so that they suit a dark
theme and a light one; the marks tell the same without colours.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable, Mapping
from typing import IO, assert_never, cast

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from agent.report import events
from agent.report.sink import Sink, printable
from agent.report.stage_list import Row, StageList, draw
from agent.report.wording import duration, size


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
        self._list = StageList()
        self._live: Live | None = None
        self._pending: list[RenderableType] = []
        self._lock = threading.RLock()
        self._ended = threading.Event()

    def show(self, event: events.Event) -> None:
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

    def _take(self, event: events.Event) -> None:
        match event:
            case events.StagesPlanned() | events.StageStarted() | events.StageDetail() | events.StageEnded():
                self._stage(event)
            case events.Output(text=text):
                self._foreign(text)
            case events.Message():
                self._message(event)
            case events.Transferred():
                self._list = self._list.transfer(event)
            case events.VariableSet(name=name, value=value):
                shown = "(sensitive)" if isinstance(value, events.Secret) else printable(value.text)
                self._message(events.Message(level="verbose", text=f"output variable {name} = {shown}"))
            case events.ArtifactMade(path=path, name=name, length=length):
                self._pending.append(Text(f"artifact {name}: {path} ({size(length)})"))
            case events.SecretLearned():
                pass
            case events.Failed() | events.Succeeded() | events.Answered():
                self._end(event)
            case _:
                assert_never(event)

    def _stage(self, event: events.StageEvent) -> None:
        match event:
            case events.StagesPlanned(names=names):
                self._list = StageList(rows=tuple(Row(name=name) for name in names))
                self._start()
            case events.StageStarted(name=name):
                self._list = self._list.begin(name, self._clock())
            case events.StageDetail(name="", text=text):
                self._pending.append(Text(text))
            case events.StageDetail(name=name, text=text):
                self._list = self._list.note(name, text)
            case events.StageEnded(name=name, state=state, seconds=seconds):
                self._list = self._list.end(name, state, seconds)
            case _:
                assert_never(event)

    def _start(self) -> None:
        if self._live is None:
            self._live = Live(
                console=self._console,
                get_renderable=self._drawn_list,
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

    def _drawn_list(self) -> RenderableType:
        return draw(self._list, self._clock(), ascii_only=self._console.options.ascii_only)

    def _message(self, event: events.Message) -> None:
        match event.level:
            case "info":
                self._pending.append(Text(event.text))
            case "verbose":
                if self._verbose:
                    self._pending.append(Text(event.text, style="dim"))
            case "warning":
                self._pending.append(Text.assemble(("warning: ", "bold yellow"), (event.text, "yellow")))
            case "error":
                self._pending.append(Text.assemble(("error: ", "bold red"), event.text))
            case _:
                assert_never(event.level)

    def _end(self, event: events.Ending) -> None:
        self.close()
        match event:
            case events.Failed(stage=stage, message=message, lines=output):
                where = f"{stage}: " if stage else ""
                self._pending.append(Text.assemble("\n", ("error: ", "bold red"), f"{where}{message}"))
                for line in output:
                    self._foreign(line)
            case events.Succeeded(outputs=outputs, seconds=seconds):
                self._pending.append(Text(f"\nsucceeded in {duration(seconds)}", style="bold green"))
                self._pending.append(_summary(outputs))
            case events.Answered(text=text):
                self._console.print(Text(text), soft_wrap=True)
            case _:
                assert_never(event)

    def _foreign(self, line: str) -> None:
        """A line of a build or a container; what does not fit goes on below, indented as far."""
        bar = "  |" if self._console.options.ascii_only else "  │"
        row = Table.grid(Column(width=3), Column(overflow="fold"), padding=(0, 1))
        row.add_row(Text(bar, style="dim"), Text(line, style="dim"))
        self._pending.append(row)


def _summary(outputs: tuple[tuple[str, str], ...]) -> RenderableType:
    """Names and values; a value that does not fit goes on in the next line, so that all of it can be copied."""
    table = Table.grid(Column(style="bold", no_wrap=True), Column(overflow="fold"), padding=(0, 2))
    for name, value in outputs:
        if value:
            table.add_row(Text(name), Text(value))
    return Padding(table, (0, 2))
