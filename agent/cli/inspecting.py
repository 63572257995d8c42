"""`history` and `doctor`: commands that look and change nothing."""

from __future__ import annotations

import sys
from typing import Any

import click

from agent.cli.options import home_from, host_from, place_options, reporting


@click.command()
@click.option("--slot", default="", help="Only this slot.")
@click.option("--limit", default=20, show_default=True, help="At most so many.")
@place_options
def history(slot: str, limit: int, **options: Any) -> None:
    """Show what was deployed, the newest first."""
    with reporting(options) as report:
        from agent.commands import display
        from agent.journal import read_runs

        runs = read_runs(home_from(options) / "journal.db", slot.lower(), limit)
        report.result(display.history_lines(runs), display.as_json(runs))


@click.command()
@click.option("--registry", default="", help="A registry to try as well, as HOST:PORT.")
@place_options
def doctor(registry: str, **options: Any) -> None:
    """See whether everything is there that a deployment needs."""
    with reporting(options) as report:
        from agent.commands import display
        from agent.commands import doctor as examination

        findings = examination.examine(host_from(options), home_from(options), registry)
        status = 0 if all(finding.good for finding in findings) else 1
        report.result(display.finding_lines(findings), display.as_json(findings), exit_code=status)
    sys.exit(status)


COMMANDS = (history, doctor)
