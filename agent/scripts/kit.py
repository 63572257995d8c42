"""The files that a script is started with: Octopus's functions in its language, and the variables' values.

The values are neither in the environment nor in an argument, where other users and every child would see them. They
stand in one file for its owner alone, which the bootstrap removes as soon as it has read it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import PurePath

from agent.errors import VariablesError
from agent.scripts.script import Language, Script
from agent.variables import Variables

OWN = "env:dockwright_"
"""What the environment tells the agent itself, passwords among it, is no script's business."""

_LETTERS = re.compile(r"[A-Za-z]|[^A-Za-z]+")
_BOOTSTRAPS: Mapping[Language, str] = {"sh": "bootstrap.sh", "python": "bootstrap.py", "powershell": "bootstrap.ps1"}


@dataclass(frozen=True, kw_only=True)
class Kit:
    """Files by name, all to be put in one private folder, and the arguments that start them from there."""

    language: Language
    script: str
    files: Mapping[str, bytes] = field(repr=False)

    def arguments(self, folder: PurePath, script: PurePath | None = None) -> tuple[str, ...]:
        """What follows the interpreter's name; `script` is where it is read from if not from the folder."""
        bootstrap, target = str(folder / _BOOTSTRAPS[self.language]), str(script or folder / self.script)
        if self.language == "powershell":
            unattended = ("-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass")
            return (*unattended, "-File", bootstrap, target)
        return (bootstrap, target)


def kit(script: Script, variables: Iterable[tuple[str, str]]) -> Kit:
    """Everything to run the script with these names and values."""
    name = _BOOTSTRAPS[script.language]
    values = _shell_values(variables) if script.language == "sh" else _encoded_values(variables)
    bootstrap = files("agent.scripts").joinpath(name).read_bytes()
    return Kit(
        language=script.language,
        script=script.file,
        files={name: bootstrap, "variables": values, script.file: script.readable},
    )


def readable_variables(variables: Variables, *, environment: bool) -> list[tuple[str, str]]:
    """Names and evaluated values, as scripts read them; one that cannot be evaluated stays as it was given.

    `environment` is whether the agent's own environment (`env:NAME`) is among them.
    """
    known = []
    for name in variables:
        lowered = name.lower()
        if lowered.startswith("env:") and (not environment or lowered.startswith(OWN)):
            continue
        try:
            value = variables.get(name)
        except VariablesError:
            value = variables.get_raw(name)
        known.append((name, value or ""))
    return known


def _shell_values(variables: Iterable[tuple[str, str]]) -> bytes:
    """A function that knows the values: it needs no program that an image may lack. Names ignore case."""
    cases = "".join(f"{_pattern(name)}) printf '%s' {_quoted(value)} ;;\n" for name, value in variables)
    return f'get_octopusvariable() {{\ncase "${{1:-}}" in\n{cases}*) ;;\nesac\n}}\n'.encode("utf-8", "replace")


def _pattern(name: str) -> str:
    """`Name` as `[Nn][Aa][Mm][Ee]`, anything but letters quoted."""
    pieces = _LETTERS.findall(name)
    return "".join(f"[{p.upper()}{p.lower()}]" if p.isascii() and p.isalpha() else _quoted(p) for p in pieces) or "''"


def _quoted(text: str) -> str:
    return "'" + text.replace("\0", "").replace("'", "'\\''") + "'"


def _encoded_values(variables: Iterable[tuple[str, str]]) -> bytes:
    """A line for each: the name and the value in base64."""
    return b"".join(_encoded(name) + b" " + _encoded(value) + b"\n" for name, value in variables)


def _encoded(text: str) -> bytes:
    return base64.b64encode(text.encode("utf-8", "replace"))
