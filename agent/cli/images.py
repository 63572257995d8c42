"""`configure`: images in the registry, without an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.cli.options import FILE, OUTPUTS, home_from, mask_secrets, reporting, variable_options, variables_from


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


COMMANDS = (configure,)
