"""`evaluate`, `extract`, `pack` and `variables`: work on files, without a deployment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from agent.cli.options import FILE, plain_errors, variable_options, variables_from


@click.command()
@click.argument("text", default="-")
@variable_options
@click.option("--explain", is_flag=True, help="Show token by token what was found and where.")
@click.option("--reveal", is_flag=True, help="Show sensitive values too.")
def evaluate(text: str, **options: Any) -> None:
    """Print what TEXT comes to; `-` reads standard input."""
    with plain_errors():
        from agent.commands import evaluation

        template = evaluation.read_standard_input() if text == "-" else text
        answer = evaluation.evaluate(
            template, variables_from(options), explain=options["explain"], reveal=options["reveal"]
        )
        click.echo(answer.text, nl=not answer.verbatim)
        for complaint in answer.complaints:
            click.echo(complaint, err=True)
        sys.exit(answer.exit_code)


@click.command()
@click.argument("package", type=FILE)
@click.argument("folder", type=FILE)
@click.option("--as-calamari", is_flag=True, help="Leave links and executable bits out, as Calamari does.")
def extract(package: Path, folder: Path, as_calamari: bool) -> None:
    """Unpack PACKAGE into FOLDER, safely."""
    with plain_errors():
        from agent.packages import extract as unpack
        from agent.report.wording import size

        extracted = unpack(package, folder, fidelity="calamari" if as_calamari else "full")
        click.echo(f"{_files(extracted.files)}, {size(extracted.bytes)} in {folder}")


@click.command()
@click.argument("folder", type=FILE)
@click.option("--id", "package_id", default="", help="The package's id.  [default: the folder is named Id.Version]")
@click.option("--version", "package_version", default="", help="The package's version.")
@click.option("--into", type=FILE, default=Path(), help="Where to write it.  [default: here]")
@click.option("--sign", "signing_key", type=FILE, help="Sign it with this key; see dockwright trust new-key.")
def pack(folder: Path, package_id: str, package_version: str, into: Path, signing_key: Path | None) -> None:
    """Make FOLDER a reproducible package or bundle, Id.Version.zip."""
    with plain_errors():
        from agent.commands import packing
        from agent.report.wording import size

        packed = packing.pack(folder, into, package_id, package_version, signing_key)
        click.echo(f"{packed.path}: {_files(packed.files)}, {size(packed.size)}, sha256 {packed.sha256}")


def _files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"


COMMANDS = (evaluate, extract, pack)
