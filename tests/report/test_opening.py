"""How a run is shown is chosen by where it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.report.conftest import Tell


@pytest.mark.parametrize(
    "name", ["TentacleHome", "TENTACLEHOME", "TentacleJournal", "OctopusCalamariWorkingDirectory"]
)
def test_under_a_server_service_messages_are_written(tell: Tell, name: str) -> None:
    told = tell("auto", environ={name: "/etc/octopus"})
    assert told.err == ["##octopus[stderr-progress]"]


@pytest.mark.parametrize(("environ", "is_terminal"), [({}, False), ({"TERM": "dumb"}, True)])
def test_elsewhere_lines_are_plain(tell: Tell, environ: Mapping[str, str], is_terminal: bool) -> None:
    told = tell("auto", environ=environ, is_terminal=is_terminal)
    with told.report.stage("build"):
        pass
    told.report.close()
    assert told.out == ["build", "    0.0 s"]


def test_a_terminal_is_drawn_on(tell: Tell) -> None:
    told = tell("auto", environ={"TERM": "xterm", "TentacleHome": "/x"}, is_terminal=True)
    told.report.stages(["build"])
    told.report.close()
    assert "\x1b[?25h" in told.stdout.getvalue()


@pytest.mark.parametrize("output", ["plain", "octopus", "json"])
def test_what_only_a_terminal_needs_is_not_imported(output: str) -> None:
    program = (
        "import sys\n"
        "from agent.report import open_report\n"
        f"report = open_report({output!r}, sys.stdout, sys.stderr, {{}}, verbose=True, is_terminal=False)\n"
        "report.masker.add('Password', 'hunter22')\n"
        "report.stages(['build'])\n"
        "report.info('x')\n"
        "report.success({})\n"
        "report.close()\n"
    )
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in run.stderr.splitlines() if "|" in line}
    assert "ahocorasick" in imported
    assert imported.isdisjoint({"rich", "cryptography", "docker", "lxml", "jinja2", "click"})
