"""Chooses how a run is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TextIO, assert_never

from agent.report.events import Renderer
from agent.report.report import Report
from agent.report.sink import Sink

OutputChoice = Literal["auto", "plain", "octopus", "json"]

_SET_BY_A_SERVER = frozenset({"octopuscalamariworkingdirectory", "tentaclehome", "tentaclejournal"})


def open_report(
    output: OutputChoice,
    stdout: TextIO,
    stderr: TextIO,
    environ: Mapping[str, str],
    *,
    verbose: bool,
    is_terminal: bool,
) -> Report:
    """The report for this process; `auto` is live on a terminal, service messages under Octopus, else plain."""
    live = is_terminal and environ.get("TERM") != "dumb"
    return Report(_renderer(output, stdout, stderr, environ, verbose=verbose, live=live))


def _renderer(
    output: OutputChoice,
    stdout: TextIO,
    stderr: TextIO,
    environ: Mapping[str, str],
    *,
    verbose: bool,
    live: bool,
) -> Renderer:
    out, err = Sink(stdout), Sink(stderr)
    match output:
        case "auto" | "plain" | "octopus" | "json":
            from agent.report.plain import PlainRenderer

            return PlainRenderer(out, err, verbose=verbose)
        case _:
            assert_never(output)
