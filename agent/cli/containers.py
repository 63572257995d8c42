"""`ps`, `logs`, `stop`, `start` and `prune`: what dockwright runs, by slot or by name."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from agent.cli.deploying import WAIT
from agent.cli.options import home_from, host_from, place_options, reporting


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also the stopped ones that are kept.")
@place_options
def ps(everything: bool, **options: Any) -> None:
    """Show what runs, and for a slot where nothing does, what ran last."""
    with reporting(options) as report:
        from agent.commands import display, running
        from agent.slot.place import settle

        host = host_from(options)
        settle(home_from(options), host, report)
        found = running.running(host, everything=everything)
        report.result(running.running_lines(found), display.as_json(found))


@click.command()
@click.argument("name", metavar="SLOT|NAME")
@click.option("--follow", "-f", is_flag=True, help="Go on until the container ends.")
@click.option("--tail", default=100, show_default=True, type=click.IntRange(min=0), help="So many lines of before.")
@place_options
def logs(name: str, follow: bool, tail: int, **options: Any) -> None:
    """Show what the container of SLOT, or the one of that NAME, prints."""
    with reporting(options) as report:
        from agent.commands import running
        from agent.errors import InputError

        if follow and options["output"] == "json":
            raise InputError("--follow goes on for as long as the container does; leave out --output json")
        if follow:
            running.logs(host_from(options), name, tail, report.output, follow=True)
            return
        lines: list[str] = []
        running.logs(host_from(options), name, tail, lines.append, follow=False)
        report.result(lines, lines)


@click.command()
@click.argument("name", metavar="SLOT|NAME")
@click.option("--timeout", type=click.IntRange(min=0), help="Seconds before it is killed.  [default: as deployed]")
@WAIT
@place_options
def stop(name: str, timeout: int | None, wait: float, **options: Any) -> None:
    """Stop what serves in SLOT, or the container of that NAME; `start` brings it back."""
    with reporting(options) as report:
        from agent.commands import stopping

        target = stopping.Target(
            home=home_from(options), host=host_from(options), name=name, wait=wait, timeout=timeout
        )
        report.success({"Stopped": ", ".join(stopping.stop(target, report))})


@click.command()
@click.argument("name", metavar="SLOT|NAME")
@WAIT
@place_options
def start(name: str, wait: float, **options: Any) -> None:
    """Start what served last in SLOT, or the container of that NAME, and see that it is good."""
    with reporting(options) as report:
        from agent.commands import stopping

        target = stopping.Target(home=home_from(options), host=host_from(options), name=name, wait=wait)
        report.success({"Container": ", ".join(stopping.start(target, report))})


@click.command()
@click.option(
    "--keep", default=3, show_default=True, type=click.IntRange(min=0), help="Keep so many predecessors in each slot."
)
@click.option("--images", is_flag=True, help="Only images, no containers.")
@click.option("--registry", is_flag=True, help="Images in registries; with --images the host's too.")
@click.option("--yes", is_flag=True, help="Remove it.  [default: only show it]")
@WAIT
@place_options
def prune(keep: int, images: bool, registry: bool, yes: bool, wait: float, **options: Any) -> None:
    """Show, or with --yes remove, stopped containers and images that neither run nor are kept for a rollback."""
    with reporting(options) as report:
        from agent.commands import display, pruning

        request = pruning.PruneRequest(home=home_from(options), host=host_from(options), keep=keep, wait=wait)
        request = dataclasses.replace(request, images=images, registry=registry)
        found = pruning.prune(request, report, apply=yes)
        report.result(pruning.pruned_lines(found, applied=yes), display.as_json(found))


COMMANDS = (ps, logs, stop, start, prune)
