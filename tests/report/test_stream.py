"""Events that travel as lines of JSON come out as they went in, but for secrets."""

from __future__ import annotations

import io

import pytest

from agent.report import open_report
from agent.report.events import (
    Answered,
    ArtifactMade,
    Document,
    Event,
    Failed,
    Message,
    Output,
    Secret,
    StageDetail,
    StageEnded,
    StagesPlanned,
    StageStarted,
    Succeeded,
    Transferred,
    Value,
    VariableSet,
)
from agent.report.stream import Line, decode_line, encode_event, read_event

EVENTS = [
    StagesPlanned(names=("build", "run")),
    StageStarted(name="build"),
    StageDetail(name="build", text="2 files"),
    StageEnded(name="build", state="done", seconds=1.5),
    Message(level="warning", text="two\nlines"),
    Output(text="Step 1/2 : FROM \u00e9"),
    Transferred(label="push", done=1, total=2, finished=False),
    ArtifactMade(path="/tmp/a", name="a", length=3),
    VariableSet(name="Image", value=Value(" with spaces\n")),
    Failed(stage="run", message="no", output="a\nb", exit_code=9),
    Succeeded(outputs=(("Image", "a:1"),), seconds=2.5),
    Answered(text="yes", document=Document({"a": [1, None]}), exit_code=1),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_event_comes_out_as_it_went_in(event: Event) -> None:
    text = encode_event(event)
    assert "\n" not in text
    assert read_event(decode_line(text.encode())) == event


def test_sensitive_output_stands_there_masked() -> None:
    text = encode_event(VariableSet(name="Token", value=Secret("hunter2-hunter2")))
    assert "hunter2" not in text
    read = read_event(decode_line(text.encode()))
    assert isinstance(read, VariableSet)
    assert isinstance(read.value, Secret)


def test_kind_of_a_later_version_is_passed_over() -> None:
    assert read_event(Line(time="", event="telepathy")) is None


def test_report_writes_a_line_for_each_event() -> None:
    out = io.StringIO()
    report = open_report("events", out, io.StringIO(), {}, verbose=False, is_terminal=False)
    report.masker.add("Password", "hunter2-hunter2")
    report.stages(("build",))
    report.info("the password is hunter2-hunter2")
    report.close()
    lines = [decode_line(line.encode()) for line in out.getvalue().splitlines()]
    assert [line.event for line in lines] == ["stages-planned", "message"]
    assert lines[1].data["text"] == "the password is ********"
