"""`configure` and `image`: images in the registry, without an engine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from agent.cli.options import (
    FILE,
    OUTPUTS,
    F,
    home_from,
    mask_secrets,
    plain_errors,
    reporting,
    variable_options,
    variables_from,
)


@click.command()
@click.argument("image")
@click.option("--tag", required=True, help="The new image's tag.")
@variable_options
@click.option("--file", "files", multiple=True, metavar="GLOB", help="Files of the image to work on.")
@click.option("--substitute", multiple=True, metavar="GLOB", help="Replace #{...} in these files.")
@click.option("--structured", multiple=True, metavar="GLOB", help="Set values in these JSON, YAML, XML, .properties.")
@click.option("--config-transforms", is_flag=True, help="Run web.Release.config and its like.")
@click.option("--config-variables", is_flag=True, help="Set appSettings and connectionStrings.")
@click.option("--repository", default="", help="Where to put the new image.  [default: beside IMAGE]")
@click.option("--platform", default="", help="Which image of several, as linux/amd64 or windows/amd64:10.0.20348.")
@click.option("--previous", multiple=True, metavar="TAG", help="Use this one's image if nothing changed since.")
@click.option("--output", type=OUTPUTS, default="auto", show_default=True, help="How to tell what happens.")
@click.option(
    "--home", type=FILE, help="What was read once is kept here.  [default: $DOCKWRIGHT_HOME or ~/.dockwright]"
)
@click.option("--verbose", is_flag=True, help="Say more.")
def configure(image: str, tag: str, **options: Any) -> None:
    """Give IMAGE an environment's configuration, as one layer, straight in its registry.

    Globs are paths in IMAGE. Without --file, the files that the features name are taken, and *.config files
    where those of XML are on.
    """
    with reporting(options) as report:
        from agent.commands import configuration

        known = variables_from(options)
        mask_secrets(known, report)
        names = ("files", "substitute", "structured", "config_transforms", "config_variables")
        more = ("repository", "platform", "previous")
        asked = configuration.Asked(image=image, tag=tag, **{name: options[name] for name in names + more})
        done = configuration.configure_image(asked, known, Path(home_from(options)), report)
        report.result(configuration.result_lines(done), configuration.result_document(done))


@click.group()
def image() -> None:
    """Look at images in their registries: compare, verify, and list what they are made of."""


def _looking(command: F) -> F:
    """The options of every command that looks at an image."""
    for option in (
        click.option("--verbose", is_flag=True, help="Say more."),
        click.option("--home", type=FILE, help="Journal and cache.  [default: $DOCKWRIGHT_HOME or ~/.dockwright]"),
        click.option("--platform", default="", help="Which image of several, as linux/amd64."),
    ):
        command = option(command)
    return command


@image.command()
@click.argument("first")
@click.argument("second")
@variable_options
@_looking
@click.option("--show", is_flag=True, help="Show values that only look like secrets.")
@click.option("--output", type=OUTPUTS, default="auto", show_default=True, help="How to tell what differs.")
def diff(first: str, second: str, **options: Any) -> None:
    """Compare two images: layers they share, settings and files that differ.

    Ends with 0 if no file and no setting differs, with 1 if one does. Values that look like secrets are masked,
    those that the journal or the variables know as secrets always.
    """
    with reporting(options) as report:
        from agent.commands import image_diff
        from agent.commands.display import as_json

        mask_secrets(variables_from(options), report)
        home = home_from(options)
        found = image_diff.difference(
            (first, second), options["platform"], home, report.verbose, show=options["show"]
        )
        code = 0 if found.is_none else 1
        report.result(image_diff.difference_lines(found), as_json(found), exit_code=code)
    sys.exit(code)


@image.command()
@click.argument("image")
@_looking
@click.option("--quick", is_flag=True, help="Ask whether the layers are there, and read none.")
@click.option("--alone", is_flag=True, help="Leave the journal aside.")
@click.option("--output", type=OUTPUTS, default="auto", show_default=True, help="How to tell what was found.")
def verify(image: str, **options: Any) -> None:
    """See that IMAGE is what the journal says, and whole: digests, labels, base, every layer's bytes.

    Ends with 1 if something is not ok.
    """
    with reporting(options) as report:
        from agent.commands import image_verify
        from agent.commands.display import as_json

        findings = image_verify.verify_image(
            image,
            options["platform"],
            home_from(options),
            report.verbose,
            quick=options["quick"],
            alone=options["alone"],
        )
        code = 0 if all(finding.good for finding in findings) else 1
        report.result(image_verify.verification_lines(findings), {"findings": as_json(findings)}, exit_code=code)
    sys.exit(code)


@image.command()
@click.argument("image")
@_looking
@click.option("--to", "file", type=FILE, metavar="FILE", help="Write it there instead of to stdout.")
def sbom(image: str, **options: Any) -> None:
    """What IMAGE is made of, as CycloneDX 1.6 JSON: packages (from the journal), base image, layers."""
    with plain_errors():
        from agent.commands import image_sbom
        from agent.durable import replace_file

        bill = image_sbom.bill_of_materials(image, options["platform"], home_from(options))
        if bill.packages is None:
            click.echo("dockwright: no run that made this image is in the journal; packages are left out", err=True)
        if options["file"]:
            replace_file(options["file"], bill.json.encode(), 0o644)
        else:
            click.echo(bill.json)


COMMANDS = (configure, image)
