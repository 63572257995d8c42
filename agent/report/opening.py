"""Chooses how a run is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TextIO, assert_never

from agent.report.events import Event, Renderer
from agent.report.report import Report
from agent.report.sink import Sink

OutputChoice = Literal["auto", "plain", "octopus", "json", "events"]

_Kind = Literal["terminal", "plain", "octopus", "json", "events"]

# Calamari and Tentacle set these for whatever they start; Windows changes the case of names.
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
    kind = _automatic(environ, is_terminal=is_terminal) if output == "auto" else output
    out, err = Sink(stdout, keep_width=kind == "terminal"), Sink(stderr)
    return Report(_renderer(kind, out, err, environ, verbose=verbose))


def silent_report() -> Report:
    """For a process that nobody listens to."""
    return Report(_SilentRenderer())


class _SilentRenderer:
    transfer_interval = float("inf")

    def show(self, event: Event) -> None:
        pass

    def close(self) -> None:
        pass


def _automatic(environ: Mapping[str, str], *, is_terminal: bool) -> _Kind:
    if is_terminal and environ.get("TERM") != "dumb":
        return "terminal"
    if not _SET_BY_A_SERVER.isdisjoint(name.lower() for name in environ):
        return "octopus"
    return "plain"


def _renderer(kind: _Kind, out: Sink, err: Sink, environ: Mapping[str, str], *, verbose: bool) -> Renderer:
    match kind:
        case "terminal":
            from agent.report.terminal import TerminalRenderer

            return TerminalRenderer(out, environ, verbose=verbose)
        case "octopus":
            from agent.report.octopus import OctopusRenderer

            return OctopusRenderer(out, err)
        case "json":
            from agent.report.json import JsonRenderer

            return JsonRenderer(out, err, verbose=verbose)
        case "events":
            from agent.report.stream import StreamRenderer

            return StreamRenderer(out)
        case "plain":
            from agent.report.plain import PlainRenderer

            return PlainRenderer(out, err, verbose=verbose)
        case _:
            assert_never(kind)
