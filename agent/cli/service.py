"""`listen`: take deployments over HTTPS."""

from __future__ import annotations

from typing import Any

import click

from agent.cli.options import FILE, home_from, plain_errors


@click.command()
@click.option("--address", default="0.0.0.0:10943", show_default=True, help="Where to listen.")
@click.option("--workers", default=4, show_default=True, help="How many deployments run at a time.")
@click.option("--queue", default=100, show_default=True, help="How many more may wait.")
@click.option("--host", default="unix://", show_default=True, help="The container host.")
@click.option("--home", type=FILE, help="Journal and cache.  [default: $DOCKWRIGHT_HOME or ~/.dockwright]")
@click.option(
    "--require-signature", is_flag=True, envvar="DOCKWRIGHT_REQUIRE_SIGNATURE", help="Take signed bundles only."
)
def listen(**options: Any) -> None:
    """Take deployments from trusted peers over HTTPS, until told to stop."""
    with plain_errors():
        from agent.commands.listening import listening
        from agent.service.listener import listen as serve

        serve(listening(home_from(options), options), click.echo)


COMMANDS = (listen,)
