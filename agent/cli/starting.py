"""`init`: begin with what is there."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import click

from agent.cli.options import FILE, plain_errors


@click.command()
@click.argument("kind")
@click.argument("path", type=FILE)
@click.option("--name", default="", help="The package's id.  [default: the folder's name]")
@click.option("--into", type=FILE, help="Where to write.  [default: NAME-container, here]")
def init(kind: str, path: Path, name: str, into: Path | None) -> None:
    """Write a ready bundle for what is at PATH. KIND is `iis`: a site's folder, .NET Framework, .NET or static."""
    with plain_errors():
        from agent.commands.starting import Start, lines, start

        named = name or _id_from(path.resolve().name)
        folder = into or Path(f"{named}-container")
        click.echo("\n".join(lines(start(Start(kind=kind, path=path, name=named, into=folder)))))


def _id_from(folder: str) -> str:
    """As a package's id allows: letters lose their accents, and all else becomes a dash."""
    letters = unicodedata.normalize("NFKD", folder.replace("ß", "ss"))
    plain = "".join(each for each in letters if not unicodedata.combining(each))
    return re.sub(r"[^A-Za-z0-9._]+", "-", plain).strip("-.")


COMMANDS = (init,)
