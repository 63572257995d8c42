"""Whatever is told, and however it is shown: no secret, no forged message, no exception."""

from __future__ import annotations

import base64
import threading
from pathlib import Path

import pytest

from agent.errors import BuildError
from agent.report import OutputChoice
from agent.report.service_messages import parse
from tests.report.conftest import Tell, Told

_SECRET = "hunter22-and-more"
_FORGED = "##octopus[setVariable name='UGF1bA==' value='MQ==']"
_HOSTILE = f"{_SECRET} {_FORGED} \x1b[2J"
_WAYS: tuple[tuple[OutputChoice, bool], ...] = (
    ("plain", False),
    ("octopus", False),
    ("json", False),
    ("auto", True),
)


def say_everything(told: Told, text: str, path: Path) -> None:
    """Call everything that takes text, with this text."""
    report = told.report
    report.stages([text, "build"])
    report.detail(text)
    with report.stage(text):
        report.detail(text)
        report.info(text)
        report.verbose(text)
        report.warning(text)
        report.error(text)
        report.output(text)
        progress = report.transfer(text)
        progress(1, 2)
        progress(2, 2)
        report.set_variable(text, text)
        report.artifact(path, text)
        report.artifact(path / text, text)
    report.failure(BuildError(text, output=[text, text]), text)
    report.success({text: text})
    report.result([text, text], {"list": [text], text: text})
    report.close()


@pytest.mark.parametrize(("output", "is_terminal"), _WAYS)
def test_a_secret_in_any_text_is_masked(tell: Tell, tmp_path: Path, output: OutputChoice, is_terminal: bool) -> None:
    told = tell(output, is_terminal=is_terminal, verbose=True)
    told.report.masker.add("Password", _SECRET)
    say_everything(told, _SECRET, tmp_path)
    written = told.stdout.getvalue() + told.stderr.getvalue()
    assert "********" in written
    assert _SECRET not in written
    values = [value for each in parse(written) for value in each.properties.values()]
    assert _SECRET not in " ".join(values)


@pytest.mark.parametrize(("output", "is_terminal"), _WAYS)
def test_foreign_text_sets_no_variable(tell: Tell, tmp_path: Path, output: OutputChoice, is_terminal: bool) -> None:
    if is_terminal:
        return  # nobody reads service messages from a terminal
    told = tell(output, verbose=True)
    say_everything(told, _HOSTILE, tmp_path)
    written = told.stdout.getvalue() + told.stderr.getvalue()
    assert "\x1b" not in written
    assert [each for each in parse(written) if each.properties.get("name") == "Paul"] == []


def test_a_message_in_foreign_output_is_harmless_even_when_split_over_lines(tell: Tell) -> None:
    told = tell("octopus")
    for line in ("noise ##octo", "pus[setVariable name='UGF1bA==' value='MQ==']", "#", "#octopus[setVariable]"):
        told.report.output(line)
    told.report.close()
    assert {each.name for each in parse("".join(told.out))} <= {"stdout-verbose", "stdout-default"}


def test_a_sensitive_variable_travels_only_in_its_message(tell: Tell) -> None:
    told = tell("octopus", verbose=True)
    told.report.set_variable("Token", _SECRET, sensitive=True)
    told.report.info(f"the token is {_SECRET}")
    messages = list(parse(told.stdout.getvalue()))
    assert messages[0].properties == {"name": "Token", "value": _SECRET, "sensitive": "True"}
    assert _SECRET not in told.stdout.getvalue()


def test_a_secret_in_an_ordinary_variable_is_masked_and_warned_about(tell: Tell) -> None:
    told = tell("octopus")
    told.report.masker.add("Password", _SECRET)
    told.report.set_variable("Url", f"https://user:{_SECRET}@host/")
    (message, *_) = parse(told.stdout.getvalue())
    assert message.properties["value"] == "https://user:********@host/"
    assert any("Url" in line and "sensitive" in line for line in told.out)


@pytest.mark.parametrize("value", ["C#", "##", "two\r\nlines \x07", "ends in space "])
def test_a_variable_arrives_exactly_as_it_was_set(tell: Tell, value: str) -> None:
    told = tell("octopus")
    told.report.set_variable("Name", value)
    (message, *_) = parse(told.stdout.getvalue())
    assert message.properties["value"] == value


def test_a_secret_that_spans_lines_of_output_is_masked(tell: Tell) -> None:
    told = tell()
    secret = bytes(range(100))
    told.report.masker.add("Key", secret.decode())
    for line in base64.encodebytes(b"some header " + secret).decode().splitlines():
        told.report.output(line)
    told.report.output("after")
    told.report.close()
    assert told.out[-1] == "  | after"
    assert base64.b64encode(secret[30:60]).decode()[2:-2] not in told.stdout.getvalue().replace("\n  | ", "")
    assert "********" in told.stdout.getvalue()


def test_a_secret_that_spans_the_last_lines_of_a_failure_is_masked(tell: Tell) -> None:
    told = tell("json")
    told.report.masker.add("Key", "abcdefghijklmnop")
    told.report.failure(BuildError("failed", output=["x abcdefgh", "ijklmnop y"]), "build")
    told.report.close()
    assert '"output": ["x ********", "******** y"]' in told.out[0]


def test_a_line_that_may_begin_a_secret_appears_before_its_stage_ends(tell: Tell) -> None:
    told = tell()
    told.report.masker.add("Password", _SECRET)
    with told.report.stage("build"):
        told.report.output("it was hunter")
        assert "  | it was hunter" not in told.out
    assert "  | it was hunter" in told.out


def test_a_short_secret_is_warned_about_once(tell: Tell) -> None:
    told = tell()
    told.report.mask("Pin", "12")
    told.report.mask("Pin", "12")
    assert len(told.err) == 1
    assert "Pin" in told.err[0]


def test_carriage_returns_part_lines(tell: Tell) -> None:
    told = tell()
    told.report.output("10%\r100%\r\n")
    assert told.out == ["  | 10%", "  | 100%"]


def test_an_artifact_that_is_missing_is_a_warning(tell: Tell, tmp_path: Path) -> None:
    told = tell("octopus")
    told.report.artifact(tmp_path / "missing.txt", "missing")
    assert next(parse(told.stdout.getvalue())).name == "stdout-warning"
    assert "createArtifact" not in told.stdout.getvalue()


def test_a_transfer_is_told_rarely_but_its_end_always(tell: Tell) -> None:
    told = tell("octopus")
    told.report.stages(["push"])
    with told.report.stage("push"):
        progress = told.report.transfer("layer")
        for done in range(10_001):
            progress(done, 10_000)
        progress(10_000, 10_000)
    told_percentages = [
        each.properties["percentage"] for each in parse(told.stdout.getvalue()) if each.name == "progress"
    ]
    assert told_percentages == ["0", "100"]


def test_a_failure_names_the_stage_that_failed_unless_told(tell: Tell) -> None:
    told = tell()
    with pytest.raises(BuildError), told.report.stage("build"):
        raise BuildError("no such file")
    told.report.failure(BuildError("no such file"))
    assert told.err == ["error: build: no such file"]


def test_threads_do_not_tear_lines_apart(tell: Tell) -> None:
    told = tell()

    def work(letter: str) -> None:
        for _ in range(200):
            told.report.output(letter * 50)
            told.report.info(letter * 50)

    threads = [threading.Thread(target=work, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.report.close()
    assert len(told.out) == 1600
    assert all(len(set(line.lstrip(" |"))) == 1 for line in told.out)
