"""`run`, `plan` and `rollback`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from agent.cli.options import (
    FILE,
    F,
    home_from,
    host_from,
    hosts_from,
    mask_secrets,
    place_options,
    reporting,
    several_places_options,
    variable_options,
    variables_from,
)

if TYPE_CHECKING:
    from agent.deployment import Request
    from agent.host import HostAddress
    from agent.report import Report
    from agent.step import Outcome

SIGNED = click.option(
    "--require-signature", is_flag=True, envvar="DOCKWRIGHT_REQUIRE_SIGNATURE", help="Take signed bundles only."
)
WAIT = click.option(
    "--wait", default=600.0, show_default=True, help="Seconds to wait for a slot that another run holds."
)


RUN: Final = """\b
Examples:
  dockwright run shop --variables common.json --variables Test.json
  dockwright run shop.zip --variables Test.json --host ssh://deploy@web1 --host ssh://deploy@web2 --rolling 1
  dockwright run shop --variables Test.json --plan test.plan    only what was planned"""

PLAN: Final = """\b
Examples:
  dockwright plan shop --variables Test.json
  dockwright plan shop --variables Test.json --save test.plan"""

ROLLBACK: Final = """\b
Examples:
  dockwright rollback                                           the only slot there is
  dockwright rollback --slot projects-1/environments-1/untenanted/shop --to Deployments-73"""


def cache_options(command: F) -> F:
    """What leaves the package cache after a good deployment."""
    keep, days, free = click.IntRange(min=-1), click.FloatRange(min=0), click.FloatRange(min=0)
    for name, type_, unit, text in (
        ("FREE", free, "GB", "Remove cached packages until the disk has so much room."),
        ("UNUSED_FOR", days, "DAYS", "Remove cached packages that were not used for so long."),
        ("KEEP", keep, "VERSIONS", "Keep so many versions of each cached package; -1 is all.  [default: 5]"),
    ):
        option, variable = f"--cache-{name.lower().replace('_', '-')}", f"DOCKWRIGHT_CACHE_{name}"
        take = click.option(option, type=type_, envvar=variable, show_envvar=True, metavar=unit, help=text)
        command = take(command)
    return command


@click.command(epilog=RUN)
@click.argument("bundle", type=FILE)
@variable_options
@several_places_options
@click.option("--rolling", default=1, show_default=True, type=click.IntRange(min=1), help="How many hosts at a time.")
@cache_options
@click.option("--plan", "plan_file", type=FILE, help="Refuse to run if anything differs from this saved plan.")
@SIGNED
@WAIT
def run(bundle: Path, plan_file: Path | None, wait: float, rolling: int, **options: Any) -> None:
    """Deploy BUNDLE, a folder or .zip that holds a step.yaml."""
    with reporting(options) as report:
        from agent import deployment
        from agent.commands import cached

        retention = cached.chosen(options["cache_keep"], options["cache_unused_for"], options["cache_free"])
        hosts = hosts_from(options)
        request = _request(bundle, hosts[0], report, options, plan=plan_file, wait=wait, retention=retention)
        if len(hosts) == 1:
            report.success(deployment.run(request, report).outputs)
            return
        report.success(_run_on_each(hosts, rolling, request, report).outputs)


def _run_on_each(hosts: Sequence[HostAddress], rolling: int, request: Request, report: Report) -> Outcome:
    from agent import deployment
    from agent.commands.several_hosts import run_on_each
    from agent.errors import InputError

    if request.plan is not None:
        raise InputError("a plan is for one host; give one --host with --plan")
    return run_on_each(hosts, rolling, report, lambda host, own: deployment.run(replace(request, host=host), own))


@click.command(epilog=PLAN)
@click.argument("bundle", type=FILE)
@variable_options
@place_options
@click.option("--save", type=FILE, help="Keep the plan in this file, for run --plan.")
@SIGNED
def plan(bundle: Path, save: Path | None, **options: Any) -> None:
    """Show what `run` would do, and change nothing."""
    with reporting(options) as report:
        from agent import deployment
        from agent import plan as plans
        from agent.commands import display

        found = deployment.plan(_request(bundle, host_from(options), report, options), report)
        if save is not None:
            plans.save(found, save)
        report.result(display.plan_lines(found), display.as_json(found))


@click.command(epilog=ROLLBACK)
@click.option("--slot", default="", help="Which slot, as `dockwright ps` names it; needed where there are several.")
@click.option("--to", default="", metavar="DEPLOYMENT", help="Go back to this one.  [default: the last good one]")
@WAIT
@place_options
def rollback(slot: str, to: str, wait: float, **options: Any) -> None:
    """Put the previous deployment back: the container that is kept, or its image by digest."""
    with reporting(options) as report:
        from agent.slot import rollback as going_back

        request = going_back.RollbackRequest(
            home=home_from(options), host=host_from(options), slot=slot, to=to, wait=wait
        )
        report.success(going_back.rollback(request, report).outputs)


def _request(bundle: Path, host: HostAddress, report: Report, options: dict[str, Any], **more: Any) -> Request:
    from agent.deployment import Request

    known = variables_from(options)
    mask_secrets(known, report)
    return Request(
        bundle=bundle,
        variables=known,
        host=host,
        home=home_from(options),
        require_signature=options["require_signature"],
        **more,
    )


COMMANDS = (run, plan, rollback)
