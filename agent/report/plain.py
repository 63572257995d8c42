"""Plain lines, for a pipe, a file, or a build server that keeps its own times.

Progress goes to one sink, warnings and errors to another, so that `2>errors` means something.
"""

from __future__ import annotations

from typing import assert_never

from agent.report import events
from agent.report.sink import Sink, printable
from agent.report.wording import duration, size, transferred


class PlainRenderer:
    """Stage headers such as `[2/6] extract`, and below each what belongs to it."""

    transfer_interval = 5.0

    def __init__(self, progress: Sink, problems: Sink, *, verbose: bool) -> None:
        self._progress = progress
        self._problems = problems
        self._verbose = verbose
        self._stages: tuple[str, ...] = ()
        self._moving: frozenset[str] = frozenset()

    def show(self, event: events.Event) -> None:
        match event:
            case events.StagesPlanned() | events.StageStarted() | events.StageDetail() | events.StageEnded():
                self._stage(event)
            case events.Output(text=text):
                self._progress.line(f"  | {text}")
            case events.Message():
                self._message(event)
            case events.Transferred():
                self._transfer(event)
            case events.VariableSet(name=name, value=value):
                shown = "(sensitive)" if isinstance(value, events.Secret) else printable(value.text)
                self._message(events.Message(level="verbose", text=f"output variable {name} = {shown}"))
            case events.ArtifactMade(path=path, name=name, length=length):
                self._indented(f"artifact {name}: {path} ({size(length)})")
            case events.SecretLearned():
                pass
            case events.Failed() | events.Succeeded() | events.Answered():
                self._end(event)
            case _:
                assert_never(event)

    def close(self) -> None:
        pass

    def _stage(self, event: events.StageEvent) -> None:
        match event:
            case events.StagesPlanned(names=names):
                self._stages = names
            case events.StageStarted(name=name):
                self._progress.line(f"{self._number(name)}{name}")
            case events.StageDetail(text=text):
                self._indented(text)
            case events.StageEnded(state=state, seconds=seconds):
                self._indented(f"{'' if state == 'done' else f'{state} after '}{duration(seconds)}")
            case _:
                assert_never(event)

    def _number(self, name: str) -> str:
        if name not in self._stages:
            return ""
        return f"[{self._stages.index(name) + 1}/{len(self._stages)}] "

    def _message(self, event: events.Message) -> None:
        match event.level:
            case "info":
                self._indented(event.text)
            case "verbose":
                if self._verbose:
                    self._indented(event.text)
            case "warning" | "error":
                self._problems.line(f"{event.level}: {event.text}")
            case _:
                assert_never(event.level)

    def _transfer(self, event: events.Transferred) -> None:
        """A short transfer is not worth a line; one that had a line also gets its last."""
        if event.finished and event.label not in self._moving:
            return
        self._moving = self._moving - {event.label} if event.finished else self._moving | {event.label}
        self._indented(f"{event.label}: {transferred(event.done, event.total)}")

    def _end(self, event: events.Ending) -> None:
        match event:
            case events.Failed(stage=stage, message=message, lines=lines):
                self._problems.line(f"error: {stage}: {message}" if stage else f"error: {message}")
                for line in lines:
                    self._problems.line(f"  | {line}")
            case events.Succeeded(outputs=outputs, seconds=seconds):
                self._progress.line(f"succeeded in {duration(seconds)}")
                given = [(name, value) for name, value in outputs if value]
                width = max((len(name) for name, _ in given), default=0)
                for name, value in given:
                    self._indented(f"{name:{width}}  {value}")
            case events.Answered(text=text):
                self._progress.line(text)
            case _:
                assert_never(event)

    def _indented(self, text: str) -> None:
        self._progress.line("\n".join(f"    {line}" for line in text.split("\n")))
