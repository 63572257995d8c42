"""`install` and `uninstall`: the agent on another machine."""

from __future__ import annotations

from typing import Any

import click

from agent.cli.options import FILE, host_from, plain_errors


def _host_options(command: Any) -> Any:
    command = click.option("--host-password-file", type=FILE, help="Holds the host's password.")(command)
    return click.option("--host", required=True, help="Where to, as ssh://user@host or winrm://user@host.")(command)


@click.command()
@_host_options
def install(**options: Any) -> None:
    """Put this agent on a host, and start it there."""
    with plain_errors():
        from agent.commands import installing

        click.echo(installing.install(host_from(options), click.echo), nl=False)


@click.command()
@_host_options
@click.option("--purge", is_flag=True, help="Remove its home too: journal, certificate and trusted peers.")
def uninstall(purge: bool, **options: Any) -> None:
    """Stop the agent on a host, and take it away."""
    with plain_errors():
        from agent.commands import installing

        installing.uninstall(host_from(options), click.echo, purge=purge)


COMMANDS = (install, uninstall)
