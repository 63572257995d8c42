"""Plain lines: what a build server's log shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import BuildError
from agent.report.plain import PlainRenderer
from agent.report.report import Report
from agent.report.sink import Sink
from tests.report.conftest import Tell


class Ticking:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_run_reads_top_to_bottom(tell: Tell, tmp_path: Path) -> None:
    told = tell(verbose=True)
    report = told.report
    artifact = tmp_path / "plan.txt"
    artifact.write_text("plan", encoding="utf-8")
    report.stages(["acquire", "build", "push"])
    with report.stage("acquire"):
        report.detail("MyWebApp 1.2.0, 42.6 MB")
    with report.stage("build"):
        report.output("Step 1/2 : FROM base")
        report.verbose("used the cache")
    report.set_variable("Image", "registry/app:1")
    report.artifact(artifact, "plan")
    report.success({"Image": "registry/app:1", "Version": "1"})
    report.close()
    assert told.out == [
        "[1/3] acquire",
        "    MyWebApp 1.2.0, 42.6 MB",
        "    0.0 s",
        "[2/3] build",
        "  | Step 1/2 : FROM base",
        "    used the cache",
        "    0.0 s",
        "    output variable Image = registry/app:1",
        f"    artifact plan: {artifact} (4 bytes)",
        "succeeded in 0.0 s",
        "    Image    registry/app:1",
        "    Version  1",
    ]
    assert told.err == []


def test_a_failure_says_where_what_and_the_last_output(tell: Tell) -> None:
    told = tell()
    told.report.stages(["build"])
    with pytest.raises(BuildError), told.report.stage("build"):
        raise BuildError("Dockerfile line 3: RUN make failed; fix it", output=["make: no rule", "exit 2"])
    told.report.failure(BuildError("Dockerfile line 3", output=["make: no rule", "exit 2"]), "build")
    told.report.close()
    assert told.out == ["[1/1] build", "    failed after 0.0 s"]
    assert told.err == ["error: build: Dockerfile line 3", "  | make: no rule", "  | exit 2"]


def test_verbose_messages_need_verbose(tell: Tell) -> None:
    told = tell()
    told.report.verbose("details")
    told.report.set_variable("Image", "x")
    assert told.out == []


def test_warnings_and_errors_go_to_stderr(tell: Tell) -> None:
    told = tell()
    told.report.warning("old base image")
    told.report.error("first\nsecond")
    assert told.out == []
    assert told.err == ["warning: old base image", "error: first", "second"]


def test_a_sensitive_output_is_not_shown(tell: Tell) -> None:
    told = tell(verbose=True)
    told.report.set_variable("Token", "s3cret-token", sensitive=True)
    assert told.out == ["    output variable Token = (sensitive)"]


def test_only_a_long_transfer_gets_lines_and_then_its_end_too(tell: Tell) -> None:
    clock, told = Ticking(), tell()
    report = Report(PlainRenderer(Sink(told.stdout), Sink(told.stderr), verbose=False), clock)
    quick = report.transfer("quick")
    quick(1_000_000, 2_000_000)
    quick(2_000_000, 2_000_000)
    slow = report.transfer("slow")
    clock.now += 6
    slow(12_345_678, 40_000_000)
    slow(12_400_000, 40_000_000)
    slow(40_000_000, 40_000_000)
    unknown = report.transfer("unknown")
    clock.now += 6
    unknown(500, 0)
    assert told.out == [
        "    slow: 12.3 MB of 40.0 MB (30%)",
        "    slow: 40.0 MB of 40.0 MB (100%)",
        "    unknown: 500 bytes",
    ]


def test_times_are_as_people_say_them(tell: Tell) -> None:
    clock, told = Ticking(), tell()
    report = Report(PlainRenderer(Sink(told.stdout), Sink(told.stderr), verbose=False), clock)
    for seconds in (1.25, 9.96, 187.2, 3725.0):
        with report.stage("build"):
            clock.now += seconds
    assert told.stdout.getvalue().splitlines()[1::2] == ["    1.2 s", "    10 s", "    3 min 07 s", "    1 h 02 min"]


def test_an_answer_is_its_lines(tell: Tell) -> None:
    told = tell()
    told.report.result(["when  what", "", "today deployments-75"], [{"id": "deployments-75"}])
    assert told.out == ["when  what", "", "today deployments-75"]
