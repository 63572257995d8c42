"""`listen` and `push`: deployments over HTTPS, taken and given."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from agent.cli.options import (
    FILE,
    OUTPUTS,
    THIS_MACHINE,
    home_from,
    mask_secrets,
    plain_errors,
    reporting,
    this_machine,
    variable_options,
    variables_from,
)


@click.command()
@click.option("--address", default="0.0.0.0:10943", show_default=True, help="Where to listen.")
@click.option("--workers", default=4, show_default=True, help="How many deployments run at a time.")
@click.option("--queue", default=100, show_default=True, help="How many more may wait.")
@click.option("--host", help=f"The container host.{THIS_MACHINE}")
@click.option("--home", type=FILE, help="Journal and cache.  [default: $DOCKWRIGHT_HOME or ~/.dockwright]")
@click.option(
    "--require-signature", is_flag=True, envvar="DOCKWRIGHT_REQUIRE_SIGNATURE", help="Take signed bundles only."
)
@click.option("--poll", default="", metavar="URL", help="Ask a broker at this address for work as well.")
@click.option("--poll-thumbprint", default="", metavar="SHA-256", help="The broker's certificate's.")
def listen(**options: Any) -> None:
    """Take deployments from trusted peers over HTTPS, until told to stop."""
    with plain_errors():
        from agent.commands.listening import listening
        from agent.service.listener import listen as serve

        options["host"] = options["host"] or this_machine()
        serve(listening(home_from(options), options), click.echo)


@click.command()
@click.argument("bundle", type=FILE)
@click.option("--agent", "agents", multiple=True, metavar="https://HOST:PORT", help="Where to; more than one may be.")
@click.option("--agent-thumbprint", "thumbprints", multiple=True, metavar="SHA-256", help="Its certificate's.")
@click.option("--id", "deployment", default="", help="The deployment's id.  [default: Octopus.Deployment.Id]")
@click.option("--rolling", default=1, show_default=True, help="How many agents at a time.")
@click.option("--detach", is_flag=True, help="Do not wait for the end.")
@click.option("--sequence", default=0, help="Refused by an agent that was given a higher one for the same project.")
@click.option("--time-limit", default=3600.0, show_default=True, help="Seconds it may take there.")
@click.option("--patience", default=60.0, show_default=True, help="Seconds to try again while an agent is away.")
@variable_options
@click.option("--verbose", is_flag=True, help="Say more.")
@click.option("--output", type=OUTPUTS, default="auto", show_default=True, help="How to tell what happens.")
@click.option("--home", type=FILE, help="Our certificate.  [default: $DOCKWRIGHT_HOME or ~/.dockwright]")
def push(bundle: Path, **options: Any) -> None:
    """Let agents deploy BUNDLE, and follow what they do; ends as the deployment does."""
    status = 0
    with reporting(options) as report:
        from agent.commands.pushing import PushRequest
        from agent.commands.pushing import push as start
        from agent.service.push import PushedError

        known = variables_from(options)
        mask_secrets(known, report)
        names = ("agents", "thumbprints", "deployment", "rolling", "detach", "sequence", "time_limit", "patience")
        given = {name: options[name] for name in names}
        try:
            start(PushRequest(bundle=bundle, variables=known, home=home_from(options), **given), report)
        except PushedError as error:
            if len(options["agents"]) > 1:
                raise
            status = error.exit_code  # what failed was told as it happened
    sys.exit(status)


COMMANDS = (listen, push)
