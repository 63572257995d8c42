"""`acquire` and `packages`: what comes from feeds, and what of it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.cli.options import FILE, home_from, place_options, reporting


@click.command()
@click.argument("packages", nargs=-1, required=True, metavar="ID[@VERSION]...")
@click.option(
    "--feed",
    required=True,
    metavar="TYPE:URI",
    help="folder, http, nuget, maven, oci, docker, github or octopus, and its address, as nuget:https://host/index.json.",
)
@click.option("--into", type=FILE, help="Copy them to this folder, as Id.Version.ext.")
@click.option("--username", default="", help="Who we are to the feed.")
@click.option("--password-file", type=FILE, help="A file whose first line is the password.")
@click.option("--api-key-file", type=FILE, help="A file whose first line is Octopus's API key, or GitHub's token.")
@click.option("--asset", default="", help="Which file of a GitHub release, as 'web-{version}-*.zip', or source.")
@click.option("--insecure", is_flag=True, help="Take plain http and any certificate.")
@click.option("--allow-local", is_flag=True, help="Let the feed lead to this machine and its link.")
@place_options
def acquire(packages: tuple[str, ...], feed: str, into: Path | None, **options: Any) -> None:
    """Fetch packages into the cache; VERSION may be a range, and is the latest if not given."""
    with reporting(options) as report:
        from agent.commands import acquiring, display

        access = acquiring.FeedAccess(
            username=options["username"],
            password_file=options["password_file"],
            api_key_file=options["api_key_file"],
            insecure=options["insecure"],
            allow_local=options["allow_local"],
            asset=options["asset"],
        )
        acquired = acquiring.acquire_packages(packages, feed, access, home_from(options), into, report.transfer)
        report.result(acquiring.acquired_lines(acquired), display.as_json(acquired))


@click.command()
@click.option("--prune", is_flag=True, help="Show what may go; with --yes, remove it.")
@click.option("--yes", is_flag=True, help="Remove what --prune shows.")
@click.option("--keep", type=click.IntRange(min=0), help="Keep so many versions of a package, the latest used ones.")
@click.option(
    "--unused-for", type=click.FloatRange(min=0), metavar="DAYS", help="Remove what was not used for so long."
)
@click.option("--free", type=click.FloatRange(min=0), metavar="GB", help="Remove until the disk has so much room.")
@place_options
def packages(prune: bool, yes: bool, keep: int | None, **options: Any) -> None:
    """Show what is cached, how old it is, and who needs it.

    --prune never takes what a running deployment, or one that can be gone back to, needs.  [default: keep 5 versions]
    """
    with reporting(options) as report:
        from agent.commands import cached, display
        from agent.errors import InputError

        if not prune and (
            yes or keep is not None or options["unused_for"] is not None or options["free"] is not None
        ):
            raise InputError("--yes, --keep, --unused-for and --free belong to --prune; add that")
        home = home_from(options)
        if not prune:
            held = cached.held_packages(home)
            report.result(cached.held_lines(held), display.as_json(held))
            return
        retention = cached.chosen(keep, options["unused_for"], options["free"])
        gone = cached.prune(home, retention, apply=yes)
        report.result(cached.pruned_lines(gone, applied=yes), display.as_json(gone))


COMMANDS = (acquire, packages)
