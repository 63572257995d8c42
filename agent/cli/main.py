"""The `dockwright` command itself: its sub-commands, signals, and the last line of defence."""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType

import click

from agent.cli import (
    containers,
    content,
    deploying,
    files,
    images,
    inspecting,
    installing,
    packages,
    scaling,
    service,
    starting,
    trust,
)
from agent.cli.options import TerminatedRun, defect
from agent.cli.sections import BEGIN, Sections
from agent.errors import EXIT_DEFECT, EXIT_INTERRUPTED, EXIT_TERMINATED

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Importing makes many objects and no garbage; with Python's own 700, looking for it takes a tenth of the time."""


def _version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"dockwright {version('dockwright')}")
        context.exit()


@click.group(
    cls=Sections, epilog=BEGIN, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Say which one.")
def commands() -> None:
    """Turn packages into one image per deployment, push it, and run it."""


for module in (
    deploying,
    scaling,
    containers,
    inspecting,
    installing,
    content,
    files,
    images,
    packages,
    trust,
    service,
    starting,
):
    for command in module.COMMANDS:
        commands.add_command(command)


def main() -> None:
    """Run the command line and end the process with the right exit code."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        commands.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(EXIT_INTERRUPTED)
    except TerminatedRun:
        sys.exit(EXIT_TERMINATED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        click.echo(f"dockwright: {defect(error, str)}", err=True)
        sys.exit(EXIT_DEFECT)
    finally:
        gc.freeze()  # what is left ends with the process; Python would look through all of it three times


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise TerminatedRun
