"""Gives a Python script the names that Octopus gives one: python FOLDER/bootstrap.py SCRIPT.

Runs with whatever Python 3.7 or newer the machine or the image has, and with nothing but its standard library.
What a script says goes to standard output, as service messages.
"""

from __future__ import annotations

import base64
import os
import runpy
import sys
from typing import Any, Dict  # noqa: UP035  older Pythons have no dict[str, str]


class _Variables(Dict[str, str]):  # noqa: UP006
    """Names ignore case, as everywhere else."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __setitem__(self, name: str, value: str) -> None:
        super().__setitem__(name.lower(), value)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


def _encode(text: object) -> str:
    return base64.b64encode(str(text).encode("utf-8", "surrogatepass")).decode("ascii")


def _message(kind: str, **properties: object) -> None:
    """One service message on a line of its own, whatever was printed before."""
    sys.stdout.write("".join([f"##octopus[{kind}", *(f" {k}='{_encode(v)}'" for k, v in properties.items()), "]\n"]))
    sys.stdout.flush()


def _say(level: str, text: object) -> None:
    _message(f"stdout-{level}")
    sys.stdout.write(f"{text}\n")
    _message("stdout-default")


def get_octopusvariable(key: str) -> str:
    return octopusvariables[key]


def set_octopusvariable(name: str, value: object, sensitive: bool = False) -> None:
    octopusvariables[name] = str(value)
    flag = {"sensitive": "True"} if sensitive else {}
    _message("setVariable", name=name, value=value, **flag)


def createartifact(path: str, fileName: str | None = None) -> None:  # noqa: N803  its name in Octopus
    _message("createArtifact", path=os.path.abspath(path), name=fileName or os.path.basename(path), length=0)  # noqa: PTH100, PTH119


def updateprogress(progress: object, message: str = "") -> None:
    _message("progress", percentage=progress, message=message)


def failstep(message: str | None = None) -> None:
    if message:
        _message("resultMessage", message=message)
    sys.exit(1)


def printverbose(message: object) -> None:
    _say("verbose", message)


def printhighlight(message: object) -> None:
    _say("highlight", message)


def printwait(message: object) -> None:
    _say("wait", message)


def printwarning(message: object) -> None:
    _say("warning", message)


def printerror(message: object) -> None:
    _say("error", message)


def _read(path: str) -> _Variables:
    with open(path, "rb") as file:  # noqa: PTH123
        pairs = [line.rstrip(b"\n").split(b" ") for line in file]
    os.remove(path)  # noqa: PTH107
    decoded = ([base64.b64decode(part).decode("utf-8", "replace") for part in pair] for pair in pairs)
    return _Variables({name.lower(): value for name, value in decoded})


if __name__ == "__main__":
    octopusvariables = _read(os.path.join(os.path.dirname(os.path.abspath(__file__)), "variables"))  # noqa: PTH100, PTH118, PTH120
    script = sys.argv[1]
    sys.argv = sys.argv[1:]
    sys.path[0] = os.path.dirname(script)  # noqa: PTH120
    given = {name: value for name, value in list(globals().items()) if not name.startswith("_")}
    runpy.run_path(script, init_globals=given, run_name="__main__")
