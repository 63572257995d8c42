"""A report whose two streams can be read, in every way of showing it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from agent.report import OutputChoice, Report, open_report


@dataclass(frozen=True, kw_only=True)
class Told:
    """A report and what it has written so far."""

    report: Report
    stdout: io.StringIO
    stderr: io.StringIO

    @property
    def out(self) -> list[str]:
        """The lines; however long something took, it is said to have taken no time."""
        return [
            re.sub(r"(^    |after |in )\d+\.\d s$", r"\g<1>0.0 s", line)
            for line in self.stdout.getvalue().splitlines()
        ]

    @property
    def err(self) -> list[str]:
        return self.stderr.getvalue().splitlines()


Tell = Callable[..., Told]


@pytest.fixture
def tell() -> Tell:
    def start(
        output: OutputChoice = "plain",
        *,
        verbose: bool = False,
        is_terminal: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> Told:
        stdout, stderr = io.StringIO(), io.StringIO()
        report = open_report(output, stdout, stderr, environ or {}, verbose=verbose, is_terminal=is_terminal)
        return Told(report=report, stdout=stdout, stderr=stderr)

    return start
