"""`dockwright variables`: variables files made, opened and looked into."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from agent.errors import InputError, VariablesError
from agent.given import read_password
from agent.variables import Variable, Variables
from agent.variables.files import read_variables, write_variables

MASK = "********"


def encrypt(source: Path, target: Path, password_file: Path) -> int:
    """Write `source`, a plain file, encrypted to `target`; the number of variables."""
    variables = read_variables(source, None)
    write_variables(target, variables, read_password(password_file))
    return len(variables)


def decrypt(source: Path, target: Path, password_file: Path) -> int:
    """Write `source`, an encrypted file, in plain to `target`, for its owner's eyes only; the number of variables."""
    if target.exists() and target.samefile(source):
        raise InputError(f"{target}: name another file for the plain variables, lest the encrypted one be lost")
    variables = read_variables(source, read_password(password_file))
    write_variables(target, variables, None)
    return len(variables)


def listing(variables: Variables) -> list[str]:
    """Name, value and source in columns; sensitive values, and those computed from one, masked."""
    shown = [_shown(variable, variables) for variable in _each(variables)]
    width = max((len(name) for name, _, _ in shown), default=0)
    return [
        f"{name:<{width}}  {value}  ({source})" if source else f"{name:<{width}}  {value}"
        for name, value, source in shown
    ]


def _each(variables: Variables) -> Iterable[Variable]:
    for name in variables:
        variable = variables.variable(name)
        if variable is not None and not name.startswith("env:"):
            yield variable


def _shown(variable: Variable, variables: Variables) -> tuple[str, str, str]:
    try:
        hidden = variable.sensitive or variables.is_sensitive(variable.name)
    except VariablesError:
        hidden = variable.sensitive
    value = "(null)" if variable.value is None else variable.value
    first, *rest = (MASK if hidden else value).splitlines() or [""]
    return variable.name, f"{first} …" if rest else first, variable.source
