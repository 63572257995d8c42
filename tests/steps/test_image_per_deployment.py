"""What `image-per-deployment` refuses before it reaches for a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.steps.refusals import refused


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ("{registry: r.io, run: {name: x}}", "registry and registry-username go together; say whose login it is"),
        ("{registry-username: jane, run: {name: x}}", "registry and registry-username go together"),
        ("{registry: team, registry-username: jane}", "inputs.registry: 'team' names no registry; write its host"),
        ("{registry: 'https://r.io', registry-username: jane}", "'https://r.io' names no registry"),
        ("{package: Sute}", "no package is named 'Sute' under packages; did you mean 'Suite'?"),
    ],
)
def test_inputs_that_cannot_be_used_are_refused_in_one_line(inputs: str, problem: str, tmp_path: Path) -> None:
    assert problem in refused("image-per-deployment", inputs, tmp_path)
