"""The command line: options in, one call, an exit code out. What a command does is in the module it imports.

Heavy modules are imported by the command that needs them, so that `dockwright --version` answers at once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import click

from agent.errors import EXIT_INTERRUPTED, EXIT_TERMINATED, DockwrightError

if TYPE_CHECKING:
    from agent.report import Report
    from agent.variables import Variables

F = TypeVar("F", bound=Callable[..., Any])

OUTPUTS = click.Choice(["auto", "plain", "octopus", "json"])
FILE = click.Path(path_type=Path)


class Terminated(BaseException):
    """SIGTERM: the run ends in order, undoing what it must."""


def main() -> None:
    """The `dockwright` command."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        commands.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(EXIT_INTERRUPTED)
    except Terminated:
        sys.exit(EXIT_TERMINATED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"dockwright {version('dockwright')}")
        context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Say which one.")
def commands() -> None:
    """Turn packages into one image per deployment, push it, and run it."""


def variable_options(command: F) -> F:
    """`--variables`, `--variables-password-file` and `--set`."""
    for option in (
        click.option("--set", "assignments", multiple=True, metavar="NAME=VALUE", help="Set a variable; wins over files."),
        click.option("--variables-password-file", "password_file", type=FILE, help="Holds the variables files' password."),
        click.option("--variables", "variable_files", type=FILE, multiple=True, help="A variables file; later ones win."),
    ):
        command = option(command)
    return command


def place_options(command: F) -> F:
    """`--host`, `--home`, `--output` and `--verbose`."""
    for option in (
        click.option("--verbose", is_flag=True, help="Say more."),
        click.option("--output", type=OUTPUTS, default="auto", show_default=True, help="How to tell what happens."),
        click.option("--home", type=FILE, help="Journal and cache.  [default: $DOCKWRIGHT_HOME or ~/.dockwright]"),
        click.option("--host", default="unix://", show_default=True, help="The container host."),
    ):
        command = option(command)
    return command


@commands.command()
@click.argument("bundle", type=FILE)
@variable_options
@place_options
@click.option("--plan", "plan_file", type=FILE, help="Refuse to run if anything differs from this saved plan.")
@click.option("--wait", default=600.0, show_default=True, help="Seconds to wait for a slot that another run holds.")
def run(bundle: Path, plan_file: Path | None, wait: float, **options: Any) -> None:
    """Deploy BUNDLE, a folder or .zip that holds a step.yaml."""
    with _reporting(options) as report:
        from agent import deployment

        request = _request(bundle, report, options, plan=plan_file, wait=wait)
        report.success(deployment.run(request, report).outputs)


@commands.command()
@click.argument("bundle", type=FILE)
@variable_options
@place_options
@click.option("--save", type=FILE, help="Keep the plan in this file, for run --plan.")
def plan(bundle: Path, save: Path | None, **options: Any) -> None:
    """Show what `run` would do, and change nothing."""
    with _reporting(options) as report:
        from agent import deployment, showing
        from agent import plan as plans

        found = deployment.plan(_request(bundle, report, options), report)
        if save is not None:
            plans.save(found, save)
        report.result(showing.plan_lines(found), showing.as_json(found))


@commands.command()
@click.option("--slot", default="", help="Only this slot.")
@click.option("--limit", default=20, show_default=True, help="At most so many.")
@place_options
def history(slot: str, limit: int, **options: Any) -> None:
    """Show what was deployed, the newest first."""
    with _reporting(options) as report:
        from agent import showing
        from agent.journal import read_runs

        runs = read_runs(_home(options), slot.lower(), limit)
        report.result(showing.history_lines(runs), showing.as_json(runs))


@commands.command()
@click.option("--slot", default="", help="Which slot; needed where there are several.")
@click.option("--to", default="", metavar="DEPLOYMENT", help="Go back to this one.  [default: the last good one]")
@click.option("--wait", default=600.0, show_default=True, help="Seconds to wait for a slot that another run holds.")
@place_options
def rollback(slot: str, to: str, wait: float, **options: Any) -> None:
    """Put the previous deployment back."""
    with _reporting(options) as report:
        from agent import rollback as going_back

        request = going_back.RollbackRequest(home=_home(options), host=options["host"], slot=slot, to=to, wait=wait)
        report.success(going_back.rollback(request, report).outputs)


@commands.command()
@click.argument("text", default="-")
@variable_options
@click.option("--explain", is_flag=True, help="Show token by token what was found and where.")
def evaluate(text: str, *, explain: bool, **options: Any) -> None:
    """Print what TEXT comes to; `-` reads standard input."""
    with _plain_errors():
        from agent import evaluating

        template = sys.stdin.read() if text == "-" else text
        answer = evaluating.evaluate(template, _variables(options), explain=explain)
        click.echo(answer.text, nl=not answer.verbatim)
        for complaint in answer.complaints:
            click.echo(complaint, err=True)
        sys.exit(answer.exit_code)


@commands.command()
@click.argument("package", type=FILE)
@click.argument("folder", type=FILE)
def extract(package: Path, folder: Path) -> None:
    """Unpack PACKAGE into FOLDER, safely."""
    with _plain_errors():
        from agent.packages import extract as unpack

        extracted = unpack(package, folder)
        click.echo(f"{extracted.files:,} files, {extracted.bytes / 1e6:.1f} MB in {folder}")


@commands.command()
@click.argument("folder", type=FILE)
@click.option(
    "--id", "package_id", default="", help="The package's id.  [default: the folder is named Id.Version]"
)
@click.option("--version", "package_version", default="", help="The package's version.")
@click.option("--into", type=FILE, default=Path(), help="Where to write it.  [default: here]")
def pack(folder: Path, package_id: str, package_version: str, into: Path) -> None:
    """Make FOLDER a reproducible package or bundle, Id.Version.zip."""
    with _plain_errors():
        from agent import packing

        packed = packing.pack(folder, into, package_id, package_version)
        click.echo(f"{packed.path}\n{packed.files:,} files, {packed.size / 1e6:.1f} MB, sha256 {packed.sha256}")


@commands.command()
@click.option("--registry", default="", help="A registry to try as well, as HOST:PORT.")
@place_options
def doctor(registry: str, **options: Any) -> None:
    """See whether everything is there that a deployment needs."""
    with _reporting(options) as report:
        from agent import doctor as examination
        from agent import showing

        findings = examination.examine(options["host"], _home(options), registry)
        report.result(showing.finding_lines(findings), showing.as_json(findings))
    sys.exit(0 if all(finding.good for finding in findings) else 1)


@commands.group()
def variables() -> None:
    """Make and look into variables files."""


def _request(bundle: Path, report: Report, options: dict[str, Any], **more: Any) -> Any:
    from agent.deployment import Request

    known = _variables(options)
    for name, value in known.sensitive_values():
        report.mask(name, value)
    return Request(bundle=bundle, variables=known, host=options["host"], home=_home(options), **more)


def _variables(options: dict[str, Any]) -> Variables:
    from agent.given import given_variables

    return given_variables(options["variable_files"], options["password_file"], options["assignments"])


def _home(options: dict[str, Any]) -> Path:
    from agent.workspace import default_home

    return Path(options["home"] or default_home()).absolute()


@contextmanager
def _reporting(options: dict[str, Any]) -> Iterator[Report]:
    """A report for the time of a command. Errors become one line and an exit code; defects a short notice."""
    from agent.report import open_report

    report = open_report(
        options["output"], sys.stdout, sys.stderr, os.environ, options["verbose"], sys.stdout.isatty()
    )
    try:
        yield report
    except DockwrightError as error:
        report.failure(error)
        sys.exit(error.exit_code)
    finally:
        report.close()


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except DockwrightError as error:
        click.echo(f"dockwright: {error}", err=True)
        sys.exit(error.exit_code)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


if __name__ == "__main__":
    main()
