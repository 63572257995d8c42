"""The variables that a command was given: files, the environment, and `--set`, later ones winning."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from agent.errors import InputError, VariablesError
from agent.variables import Variable, Variables
from agent.variables.files import environment_variables, read_variables

_LONGEST_PASSWORD = 10_000


def given_variables(files: Sequence[Path], password_file: Path | None, assignments: Sequence[str]) -> Variables:
    """Files in their order, then the environment as `env:NAME`, then the assignments (load order as Calamari)."""
    password = read_password(password_file) if password_file else None
    known: list[Variable] = []
    for path in files:
        known += read_variables(path, password)
    known += environment_variables(os.environ)
    return Variables(known).merged(_assigned(assignments))


def read_password(path: Path) -> str:
    """The first line of a password file, without its newline and without a BOM, as editors on Windows write it."""
    try:
        with path.open("rb") as file:
            line = file.readline(_LONGEST_PASSWORD + 1)
        if len(line) > _LONGEST_PASSWORD:
            raise VariablesError(f"the password file {path} is none: its first line is too long for a password")
        password = line.decode("utf-8-sig").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise VariablesError(
            f"the password file {path} cannot be read: {reason}; check its name and rights"
        ) from error
    if not password:
        raise VariablesError(f"the password file {path} is empty; its first line is the password")
    return password


def _assigned(assignments: Sequence[str]) -> Iterable[Variable]:
    for assignment in assignments:
        name, separator, value = assignment.partition("=")
        if not separator or not name.strip():
            raise InputError(f"--set {assignment}: write NAME=VALUE")
        yield Variable(name.strip(), value, source="--set")
