"""What `run-image` refuses before it reaches for a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.steps.refusals import refused


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ("{}", "give either source, a package with a Dockerfile, or image, not both"),
        ("{source: Suite, image: tools}", "give either source, a package with a Dockerfile, or image, not both"),
        ("{source: Sute}", "no package is named 'Sute' under packages; did you mean 'Suite'?"),
        ("{image: tools, build: {target: x}}", "transform and build are for a source"),
        ("{image: tools, registry: r.io}", "inputs.registry: an image names its registry itself; leave it out"),
        ("{source: Suite, registry-username: jane}", "registry and registry-username go together"),
        ("{source: Suite, registry: r.io}", "registry and registry-username go together"),
        ("{source: Suite, registry: tools, registry-username: jane}", "'tools' names no registry; write its host"),
        ("{source: Suite, time-limit: 0}", "inputs.time-limit: it is in seconds, and at most a week"),
        ("{source: Suite, time-limit: soon}", "time-limit: expected a number"),
        (
            "{source: Suite, run: {health: {http: /}}}",
            "inputs.run.health: it is for what goes on running; leave it out",
        ),
        ("{source: Suite, script: {sh: a, python: b}}", "give one of sh, python, powershell and file"),
        ("{source: Suite, script: {}}", "give one of sh, python, powershell and file"),
        ("{source: Suite, script: {bash: a}}", "unknown key 'bash'"),
        ("{source: Suite, script: {file: ../outside.sh}}", "'../outside.sh' leads out of the bundle"),
        ("{source: Suite, script: {file: /etc/passwd}}", "'/etc/passwd' leads out of the bundle"),
        ("{source: Suite, script: {file: none.sh}}", "'none.sh' cannot be read: No such file or directory"),
        ("{source: Suite, script: {file: rotate.txt}}", "'rotate.txt' must end in .sh, .py or .ps1"),
        ("{source: Suite, artefacts: [x]}", "unknown key 'artefacts'; did you mean 'artifacts'?"),
    ],
)
def test_inputs_that_cannot_be_used_are_refused_in_one_line(inputs: str, problem: str, tmp_path: Path) -> None:
    assert problem in refused("run-image", inputs, tmp_path)
