"""One JSON document on stdout, at the end, for a program that started the run; progress goes to stderr."""

from __future__ import annotations

from typing import Literal, assert_never

import msgspec

from agent.errors import EXIT_DEFECT
from agent.report import events
from agent.report.masking import MASK
from agent.report.plain import PlainRenderer
from agent.report.sink import Sink


class StageSummary(msgspec.Struct, kw_only=True):
    """A stage that was planned or begun; `detail` joins its details with commas."""

    name: str
    seconds: float = 0.0
    detail: str = ""
    state: Literal["planned", "running", "done", "failed"] = "planned"


class Summary(msgspec.Struct, kw_only=True):
    """The whole run. A sensitive output is there by name, its value masked; `result` is a command's answer."""

    outcome: Literal["succeeded", "failed"] = "failed"
    exit_code: int = EXIT_DEFECT
    stage: str = ""
    error: str = "the run ended without saying how; see its other output"
    output: list[str] = msgspec.field(default_factory=list)
    outputs: dict[str, str] = msgspec.field(default_factory=dict)
    stages: list[StageSummary] = msgspec.field(default_factory=list)
    warnings: list[str] = msgspec.field(default_factory=list)
    result: object = None


class JsonRenderer:
    """Collects what the document needs and shows everything else on stderr as it happens."""

    transfer_interval = PlainRenderer.transfer_interval

    def __init__(self, stdout: Sink, stderr: Sink, *, verbose: bool) -> None:
        self._stdout = stdout
        self._progress = PlainRenderer(stderr, stderr, verbose=verbose)
        self._document = Summary()
        self._written = False

    def show(self, event: events.Event) -> None:
        if not isinstance(event, events.Answered):  # it stands in the document
            self._progress.show(event)
        match event:
            case events.StagesPlanned() | events.StageStarted() | events.StageDetail() | events.StageEnded():
                self._stage(event)
            case events.Message(level="warning", text=text):
                self._document.warnings.append(text)
            case events.VariableSet(name=name, value=value):
                self._document.outputs[name] = MASK if isinstance(value, events.Secret) else value.text
            case events.Failed() | events.Succeeded() | events.Answered():
                self._end(event)
            case (
                events.Message()
                | events.Output()
                | events.Transferred()
                | events.ArtifactMade()
                | events.SecretLearned()
            ):
                pass
            case _:
                assert_never(event)

    def close(self) -> None:
        if not self._written:
            self._written = True
            self._stdout.line(_encoded(self._document))

    def _stage(self, event: events.StageEvent) -> None:
        match event:
            case events.StagesPlanned(names=names):
                self._document.stages += [StageSummary(name=name) for name in names]
            case events.StageStarted(name=name):
                self._of(name).state = "running"
            case events.StageDetail(name=name, text=text):
                if name:
                    stage = self._of(name)
                    stage.detail = f"{stage.detail}, {text}" if stage.detail else text
            case events.StageEnded(name=name, state=state, seconds=seconds):
                stage = self._of(name)
                stage.state, stage.seconds = state, round(seconds, 3)
            case _:
                assert_never(event)

    def _of(self, name: str) -> StageSummary:
        for stage in self._document.stages:
            if stage.name == name:
                return stage
        self._document.stages.append(StageSummary(name=name))
        return self._document.stages[-1]

    def _end(self, event: events.Ending) -> None:
        document = self._document
        match event:
            case events.Failed(stage=stage, message=message, lines=output, exit_code=exit_code):
                document.outcome, document.exit_code = "failed", exit_code
                document.stage, document.error, document.output = stage, message, list(output)
            case events.Succeeded(outputs=outputs):
                document.outcome, document.exit_code, document.error = "succeeded", 0, ""
                document.outputs.update(outputs)
            case events.Answered(document=events.Document(content=content), exit_code=exit_code):
                document.outcome = "failed" if exit_code else "succeeded"
                document.exit_code, document.error, document.result = exit_code, "", content
            case _:
                assert_never(event)


def _encoded(document: Summary) -> str:
    """In one line, ASCII only: whatever reads it, and in whatever code page, gets the same text."""
    import json

    return json.dumps(msgspec.to_builtins(document))
