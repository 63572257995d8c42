"""What an Octopus server is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import BuildError
from agent.report.service_messages import message, parse
from tests.report.conftest import Tell


def test_a_level_is_switched_only_where_it_changes(tell: Tell) -> None:
    told = tell("octopus")
    told.report.info("one")
    told.report.output("two")
    told.report.output("three")
    told.report.verbose("four")
    told.report.warning("five")
    told.report.info("six")
    told.report.close()
    assert told.out == [
        "one",
        "##octopus[stdout-verbose]",
        "two",
        "three",
        "four",
        "##octopus[stdout-warning]",
        "five",
        "##octopus[stdout-default]",
        "six",
    ]


def test_only_real_errors_are_errors_on_stderr(tell: Tell) -> None:
    told = tell("octopus")
    told.report.error("broken")
    told.report.close()
    assert told.err == [
        "##octopus[stderr-progress]",
        "##octopus[stderr-error]",
        "broken",
        "##octopus[stderr-progress]",
        "##octopus[stderr-default]",
    ]


def test_a_failure_replaces_the_servers_summary(tell: Tell) -> None:
    told = tell("octopus")
    told.report.failure(BuildError("Dockerfile line 3", output=["make: no rule"]), "build")
    assert told.err[2:4] == ["build: Dockerfile line 3", "make: no rule"]
    assert told.out == [message("resultMessage", message="build: Dockerfile line 3")]


def test_a_derived_secret_is_told_on_both_streams(tell: Tell) -> None:
    told = tell("octopus")
    told.report.mask("Token", "derived-token")
    masked = message("mask", value="derived-token")
    assert masked in told.out
    assert masked in told.err


def test_an_artifact_has_its_absolute_path_and_length(
    tell: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plan.txt").write_bytes(b"12345")
    monkeypatch.chdir(tmp_path)
    told = tell("octopus")
    told.report.artifact(Path("plan.txt"), "the plan")
    (sent,) = [each for each in parse(told.stdout.getvalue()) if each.name == "createArtifact"]
    assert sent.properties == {"path": str(tmp_path / "plan.txt"), "name": "the plan", "length": "5"}


def test_progress_runs_once_through_all_stages(tell: Tell) -> None:
    told = tell("octopus")
    told.report.stages(["acquire", "push"])
    with told.report.stage("acquire"):
        told.report.transfer("package")(7, 7)
    with told.report.stage("push"):
        told.report.transfer("image")(7, 7)
    sent = [each.properties for each in parse(told.stdout.getvalue()) if each.name == "progress"]
    assert [each["percentage"] for each in sent] == ["0", "50", "50", "100"]


def test_stages_are_information_and_the_image_is_highlighted(tell: Tell) -> None:
    told = tell("octopus")
    with told.report.stage("build"):
        told.report.detail("42.6 MB")
    told.report.success({"Image": "registry/app:1"})
    assert told.out[:2] == ["build", "  42.6 MB"]
    assert told.out[told.out.index("##octopus[stdout-highlight]") + 1] == "Image registry/app:1"


def test_what_a_script_says_is_not_hidden_among_the_details(tell: Tell) -> None:
    told = tell("octopus")
    told.report.output("from a build")
    told.report.output("from a script", story=True)
    told.report.close()
    assert told.out == ["##octopus[stdout-verbose]", "from a build", "##octopus[stdout-default]", "from a script"]
