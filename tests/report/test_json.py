"""One document for a program, whatever happens."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.errors import EXIT_DEFECT, BuildError
from tests.report.conftest import Tell, Told


def document(told: Told) -> Any:
    assert len(told.out) == 1
    return json.loads(told.out[0])


def test_a_run_is_one_document_on_one_line(tell: Tell) -> None:
    told = tell("json")
    report = told.report
    report.stages(["acquire", "build", "run"])
    with report.stage("acquire"):
        report.detail("MyWebApp 1.2.0")
        report.detail("42.6 MB")
    with report.stage("build"):
        report.output("Step 1/2")
        report.warning("grüße\nold image")
    report.set_variable("Container", "web-1")
    report.set_variable("Token", "s3cret-token", sensitive=True)
    report.success({"Image": "registry/app:1"})
    report.close()
    report.close()
    found = document(told)
    assert {**found, "stages": [{**each, "seconds": 0} for each in found["stages"]]} == {
        "outcome": "succeeded",
        "exit_code": 0,
        "stage": "",
        "error": "",
        "output": [],
        "outputs": {"Container": "web-1", "Token": "********", "Image": "registry/app:1"},
        "stages": [
            {"name": "acquire", "seconds": 0, "detail": "MyWebApp 1.2.0, 42.6 MB", "state": "done"},
            {"name": "build", "seconds": 0, "detail": "", "state": "done"},
            {"name": "run", "seconds": 0, "detail": "", "state": "planned"},
        ],
        "warnings": ["grüße\nold image"],
        "result": None,
    }
    assert "  | Step 1/2" in told.err


def test_a_failure_carries_its_exit_code_stage_and_output(tell: Tell) -> None:
    told = tell("json")
    with pytest.raises(BuildError), told.report.stage("build"):
        raise BuildError("Dockerfile line 3")
    told.report.failure(BuildError("Dockerfile line 3", output=["make: no rule"]), "build")
    told.report.close()
    found = document(told)
    assert (found["outcome"], found["exit_code"], found["stage"]) == ("failed", 7, "build")
    assert (found["error"], found["output"]) == ("Dockerfile line 3", ["make: no rule"])
    assert found["stages"][0]["state"] == "failed"


def test_a_run_that_ended_without_a_word_is_a_failure(tell: Tell) -> None:
    told = tell("json")
    told.report.close()
    assert (document(told)["outcome"], document(told)["exit_code"]) == ("failed", EXIT_DEFECT)


def test_half_characters_still_make_a_document(tell: Tell) -> None:
    told = tell("json")
    told.report.warning("\ud800")
    told.report.close()
    assert document(told)["warnings"] == ["\ud800"]


@pytest.mark.parametrize(("exit_code", "outcome"), [(0, "succeeded"), (1, "failed")])
def test_an_answer_stands_in_the_document_and_nowhere_else(tell: Tell, exit_code: int, outcome: str) -> None:
    told = tell("json")
    told.report.masker.add("Password", 'a"quoted"secret')
    told.report.result(["line"], [{"key": 'x a"quoted"secret', "number": 5}], exit_code=exit_code)
    told.report.close()
    found = document(told)
    assert (found["outcome"], found["exit_code"], found["error"]) == (outcome, exit_code, "")
    assert found["result"] == [{"key": "x ********", "number": 5}]
    assert told.err == []
