"""Speaks to an Octopus server: plain lines at the right level, and service messages.

What a build prints is verbose, so that the task log tells the story and the details unfold; what a script says is
the story. What a library prints to stderr by itself is progress, not an error; only real errors are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, assert_never

from agent.report import events
from agent.report.sink import Sink
from agent.report.wording import duration, size, transferred

_OutLevel = Literal["default", "verbose", "warning", "highlight"]
_ErrorLevel = Literal["default", "error", "progress"]


class OctopusRenderer:
    """Service messages as Calamari writes them; a level switch only where the level changes."""

    transfer_interval = 1.0

    def __init__(self, stdout: Sink, stderr: Sink) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._out_level: _OutLevel = "default"
        self._error_level: _ErrorLevel = "default"
        self._stages: tuple[str, ...] = ()
        self._stage_name = ""
        self._switch_errors("progress")

    def show(self, event: events.Event) -> None:
        match event:
            case events.StagesPlanned() | events.StageStarted() | events.StageDetail() | events.StageEnded():
                self._stage(event)
            case events.Output(text=text, story=story):
                self._lines("default" if story else "verbose", [text])
            case events.Message():
                self._message(event)
            case events.Transferred():
                self._transfer(event)
            case events.VariableSet():
                self._set_variable(event)
            case events.ArtifactMade(path=path, name=name, length=length):
                self._stdout.message("createArtifact", path=path, name=name, length=str(length))
                self._lines("default", [f"artifact {name} ({size(length)})"])
            case events.SecretLearned(secret=secret):
                for sink in (self._stdout, self._stderr):  # whichever of the two is read first
                    sink.message("mask", value=secret.text)
            case events.Failed() | events.Succeeded() | events.Answered():
                self._end(event)
            case _:
                assert_never(event)

    def close(self) -> None:
        self._switch("default")
        self._switch_errors("default")

    def _stage(self, event: events.StageEvent) -> None:
        match event:
            case events.StagesPlanned(names=names):
                self._stages = names
            case events.StageStarted(name=name):
                self._stage_name = name
                self._lines("default", [name])
                self._progress(name, 0)
            case events.StageDetail(text=text):
                self._lines("default", [f"  {text}"])
            case events.StageEnded(name=name, state=state, seconds=seconds):
                level: _OutLevel = "verbose" if state == "done" else "default"
                self._lines(level, [f"{name}: {state} after {duration(seconds)}"])
            case _:
                assert_never(event)

    def _message(self, event: events.Message) -> None:
        if event.level == "error":
            self._errors([event.text])
        else:
            self._lines(_level(event.level), [event.text])

    def _transfer(self, event: events.Transferred) -> None:
        text = f"{event.label}: {transferred(event.done, event.total)}"
        if event.total > 0:
            self._progress(text, min(1.0, event.done / event.total))
        if event.finished:
            self._lines("verbose", [text])

    def _progress(self, text: str, part: float) -> None:
        """The server shows one bar for the whole step; each stage has an equal share, `part` of it is done."""
        if self._stage_name in self._stages:
            percentage = int((self._stages.index(self._stage_name) + part) * 100 / len(self._stages))
            self._stdout.message("progress", percentage=str(percentage), message=text)

    def _set_variable(self, event: events.VariableSet) -> None:
        secret = isinstance(event.value, events.Secret)
        self._stdout.message(
            "setVariable",
            name=event.name,
            value=event.value.text,
            sensitive="True" if secret else None,
        )

    def _end(self, event: events.Ending) -> None:
        match event:
            case events.Failed(stage=stage, message=text, lines=output):
                summary = f"{stage}: {text}" if stage else text
                self._errors([summary, *output])
                self._stdout.message("resultMessage", message=summary)
            case events.Succeeded(outputs=outputs, seconds=seconds):
                if "Image" in dict(outputs):
                    self._lines("highlight", [f"Image {dict(outputs)['Image']}"])
                self._lines("default", [f"succeeded in {duration(seconds)}"])
                self._lines("verbose", [f"{name} = {value}" for name, value in outputs])
            case events.Answered(text=text):
                self._lines("default", [text])
            case _:
                assert_never(event)

    def _lines(self, level: _OutLevel, texts: Iterable[str]) -> None:
        self._switch(level)
        for text in texts:
            self._stdout.line(text)

    def _errors(self, texts: Iterable[str]) -> None:
        self._switch_errors("error")
        for text in texts:
            self._stderr.line(text)
        self._switch_errors("progress")

    def _switch(self, level: _OutLevel) -> None:
        if level != self._out_level:
            self._stdout.message(f"stdout-{level}")
            self._out_level = level

    def _switch_errors(self, level: _ErrorLevel) -> None:
        if level != self._error_level:
            self._stderr.message(f"stderr-{level}")
            self._error_level = level


def _level(level: events.Level) -> _OutLevel:
    match level:
        case "verbose" | "warning":
            return level
        case "info" | "error":
            return "default"
        case _:
            assert_never(level)
