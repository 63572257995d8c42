"""The step template of one script: what Octopus asks whoever uses it, and the script that gets the answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Syntax = Literal["Bash", "PowerShell"]
Json = str | int | None | Mapping[str, "Json"] | list["Json"]

SCRIPTS: Final[dict[Syntax, str]] = {"Bash": "deploy.sh", "PowerShell": "deploy.ps1"}
FOLDER: Final = Path(__file__).parent

_IDS: Final[dict[Syntax, str]] = {
    "Bash": "5c1d9a5e-7a0f-4f57-9a53-0a4a1f8d2b01",
    "PowerShell": "5c1d9a5e-7a0f-4f57-9a53-0a4a1f8d2b02",
}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """What is asked of whoever uses the template; `control` is Octopus's name of the input."""

    name: str
    label: str
    help: str
    default: str = ""
    control: Literal["Package", "SingleLineText", "MultiLineText"] = "SingleLineText"


PARAMETERS: Final = (
    Parameter(
        name="Dockwright.Bundle",
        label="Bundle",
        help="The package with `step.yaml` at its top. Made by `dockwright pack`, or any archive of such a folder.",
        control="Package",
    ),
    Parameter(
        name="Dockwright.Application",
        label="Application package",
        help="A package that the bundle names: its source image, or the application that goes into it.",
        control="Package",
    ),
    Parameter(
        name="Dockwright.Packages",
        label="Packages handed over",
        help="The step's package references that the bundle is given, one a line. What it names besides comes from "
        "the feeds of its `step.yaml`.",
        default="Application",
        control="MultiLineText",
    ),
    Parameter(
        name="Dockwright.Variables",
        label="Variables",
        help="Names of the variables that the application's configuration needs, one a line. PowerShell hands over "
        "all of them anyway, and so does Bash where Octopus gives it `octopus_parameters`.",
        control="MultiLineText",
    ),
    Parameter(
        name="Dockwright.SensitiveVariables",
        label="Sensitive variables",
        help="Names of those that are secret, one a line: they are masked, and never in an image's history.",
        control="MultiLineText",
    ),
    Parameter(
        name="Dockwright.Host",
        label="Container host",
        help="`unix://`, `ssh://user@host`, `npipe://` or `winrm://user@host`; empty for the one of this machine.",
    ),
    Parameter(
        name="Dockwright.Home",
        label="Home",
        help="Where the journal and the package cache are; empty for `~/.dockwright`.",
    ),
    Parameter(
        name="Dockwright.Command",
        label="Command",
        help="How dockwright is called on the machine that runs the step.",
        default="dockwright",
    ),
)


def template(syntax: Syntax) -> Json:
    """The template as Octopus exports and imports it."""
    return {
        "Id": _IDS[syntax],
        "Name": f"Dockwright - Deploy a bundle ({syntax})",
        "Description": "Turns packages into one image for this deployment, pushes it and runs it. Needs `dockwright` "
        "on the target or worker that runs the step.",
        "ActionType": "Octopus.Script",
        "Version": 1,
        "CommunityActionTemplateId": None,
        "Packages": [_package("Bundle", extract=True), _package("Application", extract=False)],
        "Properties": {
            "Octopus.Action.Script.ScriptSource": "Inline",
            "Octopus.Action.Script.Syntax": syntax,
            "Octopus.Action.Script.ScriptBody": (FOLDER / SCRIPTS[syntax]).read_text(encoding="utf-8"),
        },
        "Parameters": [_parameter(syntax, number, each) for number, each in enumerate(PARAMETERS)],
        "$Meta": {"ExportedAt": "2026-01-01T00:00:00.000Z", "OctopusVersion": "2024.1.0", "Type": "ActionTemplate"},
        "Category": "docker",
    }


def text(syntax: Syntax) -> str:
    """The template's file, as it is imported."""
    return json.dumps(template(syntax), indent=2) + "\n"


def file(syntax: Syntax) -> Path:
    """Where it lies."""
    return FOLDER / f"dockwright-{syntax.lower()}.json"


def _package(name: str, *, extract: bool) -> Json:
    """A reference whose package is chosen by the parameter of that name, when the step is used."""
    return {
        "Id": f"{_IDS['Bash'][:-1]}{'a' if extract else 'b'}",
        "Name": name,
        "PackageId": None,
        "FeedId": None,
        "AcquisitionLocation": "Server",
        "Properties": {
            "Extract": str(extract),
            "SelectionMode": "deferred",
            "PackageParameterName": f"Dockwright.{name}",
            "Purpose": "",
        },
    }


def _parameter(syntax: Syntax, number: int, given: Parameter) -> Json:
    return {
        "Id": f"{_IDS[syntax][:-3]}1{number:02d}",
        "Name": given.name,
        "Label": given.label,
        "HelpText": given.help,
        "DefaultValue": given.default,
        "DisplaySettings": {"Octopus.ControlType": given.control},
    }
