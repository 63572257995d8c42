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
from agent.cli.options import TerminatedRun, unforeseen
from agent.cli.sections import BEGIN, Sections
from agent.errors import EXIT_INTERRUPTED, EXIT_TERMINATED

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
    _open_closed_streams()
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
        _abandon_output()
        sys.exit(1)
    except Exception as error:
        failure = unforeseen(error, str)
        click.echo(f"dockwright: {failure}", err=True)
        _abandon_output()
        sys.exit(failure.exit_code)
    finally:
        gc.freeze()  # what is left ends with the process; Python would look through all of it three times


def _open_closed_streams() -> None:
    """A process that was started with one of them closed would give its number to the next file that it opens."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)  # the lowest that is free, which is the stream's own
            setattr(sys, name, os.fdopen(nowhere, mode, encoding="utf-8", closefd=False))


def _abandon_output() -> None:
    """What still waits to be written goes nowhere, or the interpreter would fail at it once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise TerminatedRun
