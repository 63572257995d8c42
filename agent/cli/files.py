"""`variables`, `transform` and `xdt`: configuration files and variables files, without a deployment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from agent.cli.options import FILE, mask_secrets, plain_errors, reporting, variable_options, variables_from

PASSWORD = click.option("--password-file", type=FILE, required=True, help="A file whose first line is the password.")


@click.group()
def variables() -> None:
    """Make and look into variables files."""


@variables.command()
@click.argument("source", type=FILE)
@click.argument("target", type=FILE)
@PASSWORD
def encrypt(source: Path, target: Path, password_file: Path) -> None:
    """Write SOURCE, a plain variables file, encrypted to TARGET."""
    with plain_errors():
        from agent.commands import variables_files

        click.echo(f"{target}: {variables_files.encrypt(source, target, password_file):,} variables, encrypted")


@variables.command()
@click.argument("source", type=FILE)
@click.argument("target", type=FILE)
@PASSWORD
def decrypt(source: Path, target: Path, password_file: Path) -> None:
    """Write SOURCE, an encrypted variables file, in plain to TARGET."""
    with plain_errors():
        from agent.commands import variables_files

        click.echo(
            f"{target}: {variables_files.decrypt(source, target, password_file):,} variables, in plain; keep it safe"
        )


@variables.command(name="list")
@variable_options
def list_(**options: Any) -> None:
    """Show the variables that these options give; sensitive values are masked."""
    with plain_errors():
        from agent.commands import variables_files

        for line in variables_files.listing(variables_from(options)):
            click.echo(line)


@click.command()
@click.argument("folder", type=FILE)
@variable_options
@click.option("--diff", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--substitute", multiple=True, metavar="GLOB", help="Replace #{...} in these files.")
@click.option("--structured", multiple=True, metavar="GLOB", help="Set values in these JSON, YAML, XML, .properties.")
@click.option("--config-transforms", is_flag=True, help="Run web.Release.config and its like.")
@click.option("--config-variables", is_flag=True, help="Set appSettings and connectionStrings.")
@click.option("--verbose", is_flag=True, help="Say more.")
def transform(folder: Path, **options: Any) -> None:
    """Apply the configuration features to FOLDER, as its sdi.yaml, these options and the variables say."""
    with reporting({**options, "output": "plain"}) as report:
        from agent.commands import transformation

        known = variables_from(options)
        mask_secrets(known, report)
        asked = transformation.Asked(
            substitute=options["substitute"],
            structured=options["structured"],
            config_transforms=options["config_transforms"],
            config_variables=options["config_variables"],
        )
        done = transformation.transform_folder(folder, asked, known, report, write=not options["diff"])
        show = transformation.diff_lines if options["diff"] else transformation.change_lines
        report.result(show(done, report), None)


@click.command()
@click.argument("source", type=FILE)
@click.argument("transform_file", metavar="TRANSFORM", type=FILE)
@click.option("--output", type=FILE, help="Where the result goes.  [default: over SOURCE]")
def xdt(source: Path, transform_file: Path, output: Path | None) -> None:
    """Apply TRANSFORM, an XML document transform, to SOURCE."""
    with plain_errors():
        from agent.transform import xdt as engine

        try:
            result = engine.xdt_files(source, transform_file, output or source)
        except engine.XdtFatal as fatal:
            click.echo(f"dockwright: {fatal}", err=True)
            sys.exit(2)
        for message in result.messages:
            if message.level in {"warning", "error"}:
                click.echo(str(message), err=True)
        sys.exit(1 if any(message.level == "error" for message in result.messages) else 0)


COMMANDS = (variables, transform, xdt)
