"""`trust`: who may talk to this agent, and what it is known by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.cli.options import FILE, home_from, plain_errors

HOME = click.option("--home", type=FILE, help="Where it is kept.  [default: $DOCKWRIGHT_HOME or ~/.dockwright]")


@click.group()
def trust() -> None:
    """Certificates: this agent's own, and those of its peers."""


@trust.command()
@HOME
def show(**options: Any) -> None:
    """Show this agent's thumbprint and certificate; make them if there are none yet."""
    with plain_errors():
        from agent.commands import trust as trusting

        own = trusting.service_files(home_from(options)).certificate()
        click.echo("\n".join(trusting.own_lines(own)))
        click.echo(own.pem, nl=False)


@trust.command()
@click.argument("name")
@click.option("--certificate", type=FILE, required=True, help="The peer's certificate, in PEM form.")
@click.option("--thumbprint", required=True, help="Its SHA-256 thumbprint, as the other side read it out to you.")
@click.option("--scope", "scopes", default="deploy,read,upload", show_default=True, help="What it may do.")
@HOME
def add(name: str, certificate: Path, thumbprint: str, scopes: str, **options: Any) -> None:
    """Trust a peer, under NAME. A second certificate under the same name is for changing from one to the other."""
    with plain_errors():
        from agent.commands import trust as trusting

        peer = trusting.add(home_from(options), name, certificate, thumbprint, scopes)
        click.echo(f"{peer.name} is trusted to {', '.join(peer.scopes)}: {peer.thumbprint}")


@trust.command("list")
@HOME
def list_(**options: Any) -> None:
    """List the trusted peers."""
    with plain_errors():
        from agent.commands import trust as trusting

        click.echo("\n".join(trusting.peer_lines(trusting.service_files(home_from(options)).peers.all())))


@trust.command()
@click.argument("peer")
@HOME
def revoke(peer: str, **options: Any) -> None:
    """Trust PEER, a name or a thumbprint, no longer; live connections are refused from their next request on."""
    with plain_errors():
        from agent.commands import trust as trusting

        gone = trusting.service_files(home_from(options)).peers.revoke(peer)
        click.echo("\n".join(f"{one.name} is trusted no longer: {one.thumbprint}" for one in gone))


@trust.command("new-key")
@click.argument("file", type=FILE)
def new_key(file: Path) -> None:
    """Make a key to sign bundles with, in FILE, and show its public half."""
    with plain_errors():
        from agent.signing import make_key

        click.echo(make_key(file))


@trust.command("add-signer")
@click.argument("name")
@click.argument("public_key")
@HOME
def add_signer(name: str, public_key: str, **options: Any) -> None:
    """Trust bundles that PUBLIC_KEY has signed, under NAME."""
    with plain_errors():
        from agent.commands import trust as trusting

        signer = trusting.signers(home_from(options)).add(trusting.checked_name(name), public_key)
        click.echo(f"{signer.name} may sign bundles: {signer.key}")


@trust.command()
@HOME
def signers(**options: Any) -> None:
    """List the keys that may sign bundles."""
    with plain_errors():
        from agent.commands import trust as trusting

        click.echo("\n".join(trusting.signer_lines(trusting.signers(home_from(options)).all())))


@trust.command("revoke-signer")
@click.argument("signer")
@HOME
def revoke_signer(signer: str, **options: Any) -> None:
    """Trust bundles of SIGNER, a name or a public key, no longer."""
    with plain_errors():
        from agent.commands import trust as trusting

        gone = trusting.signers(home_from(options)).revoke(signer)
        click.echo("\n".join(f"{one.name} may sign bundles no longer: {one.key}" for one in gone))


COMMANDS = (trust,)
