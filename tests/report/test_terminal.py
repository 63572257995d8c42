"""The live list, on a pseudo-terminal."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.report.screen import Screen, run_on_terminal

_RUN = """
import os, sys, time
from agent.errors import BuildError
from agent.report import open_report

report = open_report("auto", sys.stdout, sys.stderr, os.environ, verbose=False, is_terminal=True)
report.masker.add("Password", "hunter22")
report.stages(["acquire", "extract", "transform", "build", "push", "run"])
try:
    with report.stage("acquire"):
        report.detail("MyWebApp 1.2.0, 42.6 MB")
    with report.stage("extract"):
        pass
    with report.stage("build"):
        for number in range(30):
            report.output(f"Step {number} " + "wide " * number + "hunter22")
        report.warning("the base image is old")
        %s
    report.success({"Image": "registry:8080/app:1.2.0", "Digest": "sha256:" + "ab" * 32})
except BuildError as error:
    report.failure(error, "build")
finally:
    report.close()
"""


def shown(
    tmp_path: Path,
    middle: str = "pass",
    *,
    columns: int = 80,
    environ: Mapping[str, str] | None = None,
    interrupt_at: str = "",
) -> Screen:
    program = tmp_path / "program.py"
    program.write_text(_RUN % middle, encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    settings = {**clean, "PYTHONPATH": str(Path.cwd()), "TERM": "xterm-256color", **(environ or {})}
    return run_on_terminal(program, environ=settings, columns=columns, interrupt_at=interrupt_at)


def listed(screen: Screen) -> list[str]:
    """The lines of the list, which must stand on the screen exactly once."""
    return [line for line in screen.text.splitlines() if re.match(r" [·●✓✗.*+x] ", line)]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_list_stands_once_below_all_output(tmp_path: Path, columns: int) -> None:
    screen = shown(tmp_path, columns=columns)
    states = [(line.split()[0], line.split()[1]) for line in listed(screen)]
    assert states == [
        ("✓", "acquire"),
        ("✓", "extract"),
        ("·", "transform"),
        ("✓", "build"),
        ("·", "push"),
        ("·", "run"),
    ]
    assert all(len(line) <= columns for line in screen.text.splitlines())
    assert screen.text.index("Step 29") < screen.text.index("old") < screen.text.index("acquire")
    assert "registry:8080/app:1.2.0" in screen.text.replace("\n", "").replace(" ", "")
    assert screen.cursor_visible


def test_details_and_times_stand_beside_the_stage(tmp_path: Path) -> None:
    (acquire, *_) = listed(shown(tmp_path))
    assert re.fullmatch(r" ✓ acquire +MyWebApp 1\.2\.0, 42\.6 MB +\d+\.\d s", acquire)


def test_secrets_are_masked_although_lines_wrap(tmp_path: Path) -> None:
    screen = shown(tmp_path, columns=41)
    assert "hunter22" not in re.sub(r"[\s│]", "", screen.text)
    assert "********" in re.sub(r"[\s│]", "", screen.text)


def test_a_failure_marks_its_stage_and_gives_the_cursor_back(tmp_path: Path) -> None:
    screen = shown(tmp_path, "raise BuildError('Dockerfile line 3', output=['make: no rule', 'use hunter22'])")
    assert listed(screen)[3].startswith(" ✗ build")
    assert screen.text.rstrip().endswith("error: build: Dockerfile line 3\n  │ make: no rule\n  │ use ********")
    assert screen.cursor_visible


def test_an_interrupt_leaves_a_whole_list_and_gives_the_cursor_back(tmp_path: Path) -> None:
    screen = shown(tmp_path, "time.sleep(60)", interrupt_at="the base image is old")
    assert "\x1b[?25l" in screen.raw
    assert listed(screen)[3].startswith(" ✗ build")
    assert "KeyboardInterrupt" in screen.text
    assert screen.cursor_visible


def test_a_process_that_ends_without_closing_gives_the_cursor_back(tmp_path: Path) -> None:
    screen = shown(tmp_path, "report.close = lambda: None; raise SystemExit(3)")
    assert screen.cursor_visible


def test_a_transfer_is_drawn_below_its_stage_and_gone_afterwards(tmp_path: Path) -> None:
    move = (
        "progress = report.transfer('pushing'); time.sleep(0.15); "
        "progress(12_000_000, 40_000_000); time.sleep(0.3); progress(40_000_000, 40_000_000)"
    )
    screen = shown(tmp_path, move)
    assert "12.0 MB of 40.0 MB (30%)" in screen.raw
    assert "12.0 MB" not in screen.text


def test_no_color_is_respected(tmp_path: Path) -> None:
    colour = r"\x1b\[[0-9;]*3[0-9]m"
    assert re.search(colour, shown(tmp_path).raw)
    assert not re.search(colour, shown(tmp_path, environ={"NO_COLOR": "1"}).raw)


def test_an_ascii_terminal_gets_ascii(tmp_path: Path) -> None:
    screen = shown(tmp_path, "report.detail('ünïcödé ' * 20)", columns=60, environ={"PYTHONIOENCODING": "ascii"})
    assert screen.raw.isascii()
    assert [line.split()[0] for line in listed(screen)] == ["+", "+", ".", "+", ".", "."]
