"""The options that several commands share, and what is made of them."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import click

from agent.errors import EXIT_DEFECT, DockwrightError, InputError, StorageError

if TYPE_CHECKING:
    from agent.host import HostAddress
    from agent.report import Report
    from agent.variables import Variables

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)
HOST_PASSWORD = "DOCKWRIGHT_HOST_PASSWORD"  # noqa: S105  the variable's name
THIS_MACHINE = "  [default: the engine on this machine]"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
OUTPUTS = click.Choice(["auto", "plain", "octopus", "json", "events"])


def variable_options(command: F) -> F:
    """`--variables`, `--variables-password-file` and `--set`."""
    for option in (
        click.option(
            "--set", "assignments", multiple=True, metavar="NAME=VALUE", help="Set a variable; wins over files."
        ),
        click.option(
            "--variables-password-file", "password_file", type=FILE, help="Holds the variables files' password."
        ),
        click.option(
            "--variables", "variable_files", type=FILE, multiple=True, help="A variables file; later ones win."
        ),
    ):
        command = option(command)
    return command


def place_options(command: F) -> F:
    """`--host`, `--host-password-file`, `--home`, `--output` and `--verbose`."""
    return _place_options(command, several=False)


def several_places_options(command: F) -> F:
    """As `place_options`, with `--host` as often as there are hosts; see `hosts_from`."""
    return _place_options(command, several=True)


def _place_options(command: F, *, several: bool) -> F:
    repeat = " Repeat it for more." if several else ""
    in_order = " Once for all hosts, or for each in order." if several else ""
    for option in (
        click.option("--verbose", is_flag=True, help="Say more."),
        click.option("--output", type=OUTPUTS, default="auto", show_default=True, help="How to tell what happens."),
        click.option("--home", type=FILE, help="Journal and cache.  [default: $DOCKWRIGHT_HOME or ~/.dockwright]"),
        click.option(
            "--host-password-file",
            "host_password_file",
            type=FILE,
            multiple=several,
            help=f"Holds the host's password.{in_order}  [default: ${HOST_PASSWORD}, or asked for on a terminal]",
        ),
        click.option(
            "--host",
            multiple=several,
            help=f"The container host: unix://, npipe://, ssh://USER@HOST or winrm://USER@HOST.{repeat}{THIS_MACHINE}",
        ),
    ):
        command = option(command)
    return command


def variables_from(options: dict[str, Any]) -> Variables:
    """The variables that `variable_options` gave."""
    from agent.given import given_variables

    return given_variables(options["variable_files"], options["password_file"], options["assignments"])


def mask_secrets(known: Variables, report: Report) -> None:
    """From now on no sensitive value leaves the process, nor one computed from it."""
    for name, value in known.sensitive_values():
        report.masker.add(name, value)


def home_from(options: dict[str, Any]) -> Path:
    """The home that `place_options` gave, absolute."""
    from agent.workspace import default_home

    return Path(options["home"] or default_home()).absolute()


def host_from(options: dict[str, Any]) -> HostAddress:
    """The host that `place_options` gave, with its password: from a file, the environment, or a terminal."""
    return _host(options["host"] or this_machine(), options["host_password_file"])


def this_machine() -> str:
    """The URL of the engine that is meant where no `--host` is given."""
    from agent.plugins import local_host

    return local_host()


def hosts_from(options: dict[str, Any]) -> list[HostAddress]:
    """The hosts that `several_places_options` gave, each with its password. InputError if these do not add up."""
    urls, files = options["host"] or (this_machine(),), options["host_password_file"]
    if len(files) not in (0, 1, len(urls)):
        raise InputError(
            f"there are {len(urls)} hosts and {len(files)} files with passwords; "
            "give --host-password-file once for all hosts, or once for each in the same order"
        )
    chosen = files * len(urls) if len(files) == 1 else files or [None] * len(urls)
    return [_host(url, file) for url, file in zip(urls, chosen, strict=True)]


def _host(url: str, file: Path | None) -> HostAddress:
    from agent.given import read_password
    from agent.host import HostAddress

    if file is not None:
        return HostAddress(url=url, password=read_password(file))
    password = os.environ.get(HOST_PASSWORD, "")
    if not password and _wants_password(url) and sys.stdin.isatty():
        password = _asked_for(url)
    return HostAddress(url=url, password=password)


def _wants_password(url: str) -> bool:
    """Tickets and certificates do without. A URL with a password in it is not shown again, but refused later."""
    try:
        parts = urlsplit(url)
        login = dict(parse_qsl(parts.query)).get("transport")
    except ValueError:
        return False
    return parts.scheme == "winrm" and parts.password is None and login not in ("kerberos", "certificate")


def _asked_for(url: str) -> str:
    try:
        return str(click.prompt(f"Password for {url}", hide_input=True, err=True))
    except click.Abort:  # Ctrl-C, or the end of the input
        raise KeyboardInterrupt from None


@contextmanager
def reporting(options: dict[str, Any]) -> Iterator[Report]:
    """A report for the time of a command; what goes wrong becomes one line and an exit code."""
    from agent.report import open_report

    terminal = sys.stdout.isatty()
    report = open_report(
        options["output"], sys.stdout, sys.stderr, os.environ, verbose=options["verbose"], is_terminal=terminal
    )
    try:
        yield report
    except DockwrightError as error:
        report.failure(error)
        sys.exit(error.exit_code)
    except click.Abort:
        raise  # Ctrl-C where a password is asked for
    except Exception as error:
        failure = unforeseen(error, report.masker.mask)
        report.failure(failure)
        sys.exit(failure.exit_code)
    finally:
        report.close()


@contextmanager
def plain_errors() -> Iterator[None]:
    """For commands that print an answer and no progress."""
    try:
        yield
    except DockwrightError as error:
        click.echo(f"dockwright: {error}", err=True)
        sys.exit(error.exit_code)


class TerminatedRun(BaseException):
    """SIGTERM: the run ends in order, undoing what it must."""


class Stopped(DockwrightError):  # noqa: N818
    """The run was told to end, and has undone what it had begun."""

    def __init__(self, exit_code: int) -> None:
        super().__init__("stopped from outside; what had begun was undone")
        self.exit_code = exit_code


class DefectError(DockwrightError):
    """Something that dockwright did not foresee."""

    exit_code = EXIT_DEFECT


def unforeseen(error: Exception, mask: Callable[[str], str]) -> DockwrightError:
    """What no code expected. A disk may be full anywhere, which is no defect."""
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        what = error.filename or "what a command writes"
        return StorageError(f"{what} cannot be written: {error.strerror}; make room there, or choose another place")
    return _defect(error, mask)


def _defect(error: Exception, mask: Callable[[str], str]) -> DefectError:
    """The traceback goes to a file, masked; the user gets a line that says where."""
    import traceback

    file = _kept(mask("".join(traceback.format_exception(error))))
    text = " ".join(f"{type(error).__name__}: {error}".split())
    where = f"with the file {file}" if file else "(set TMPDIR to a folder with room, for a file with the details)"
    return DefectError(f"a defect in dockwright ({mask(text)}); please report it {where}")


def _kept(details: str) -> str:
    """The name of a new file with this text; "" where none can be made."""
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="dockwright-defect-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(details)
    except OSError:
        return ""
    return file.name
