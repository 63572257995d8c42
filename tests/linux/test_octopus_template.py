"""The step template for Octopus: of the shape that its library imports, its script run with Octopus's functions."""

from __future__ import annotations

import json
import os
import sys
import uuid
from pathlib import Path

import pytest

from agent.scripts.running import ScriptRun, run_script
from agent.scripts.script import Script
from agent.signing import SIGNATURE, sign
from linux.octopus.template import Syntax, file, text
from tests.service.conftest import VARIABLES, Agent

AWKWARD = 'a "quoted" \\ back\\slash\n\ttab\r\x01 $HOME `id` \'single\' é {"k": 1}'
SYNTAXES: list[Syntax] = ["Bash", "PowerShell"]


class Heard:
    """What the script said, by service message."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_template_is_what_octopus_imports(syntax: Syntax) -> None:
    template = json.loads(text(syntax))
    assert template["ActionType"] == "Octopus.Script"
    assert template["$Meta"]["Type"] == "ActionTemplate"
    properties = template["Properties"]
    assert properties["Octopus.Action.Script.Syntax"] == syntax
    assert properties["Octopus.Action.Script.ScriptSource"] == "Inline"
    names = [parameter["Name"] for parameter in template["Parameters"]]
    assert len(set(names)) == len(names)
    for package in template["Packages"]:
        assert package["Properties"]["SelectionMode"] == "deferred"
        assert package["Properties"]["PackageParameterName"] in names
        controls = {each["Name"]: each["DisplaySettings"]["Octopus.ControlType"] for each in template["Parameters"]}
        assert controls[package["Properties"]["PackageParameterName"]] == "Package"
    ids = [template["Id"], *(each["Id"] for each in (*template["Packages"], *template["Parameters"]))]
    assert len({uuid.UUID(each) for each in ids}) == len(ids)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_template_is_made_of_the_script_beside_it(syntax: Syntax) -> None:
    assert file(syntax).read_text(encoding="utf-8") == text(syntax)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_script_asks_for_every_parameter_and_holds_nothing_that_octopus_would_replace(syntax: Syntax) -> None:
    template = json.loads(text(syntax))
    body = template["Properties"]["Octopus.Action.Script.ScriptBody"]
    assert "#{" not in body
    for parameter in template["Parameters"]:
        known = parameter["Name"] if syntax == "Bash" else parameter["Name"].rpartition(".")[2]
        chosen = parameter["DisplaySettings"]["Octopus.ControlType"] == "Package"
        assert known in body or chosen


def step(agent: Agent, do: str, tmp_path: Path) -> dict[str, str]:
    """The variables of a step of which the bundle, extracted, and one package were acquired."""
    agent.bundle(do, "bundle")
    bundle = agent.folder / "bundle"
    (bundle / "packages").mkdir()
    staged = bundle / "packages" / "Shop.Web.1.0.0.tar.gz"
    staged.write_bytes(os.urandom(1000))
    (bundle / SIGNATURE).write_bytes(sign(bundle, "bundle", agent.key))
    acquired = staged.replace(tmp_path / "Shop.Web@S1.0.0@77A7.tar.gz")
    return {
        **VARIABLES,
        "Octopus.Action.Package[Bundle].ExtractedPath": str(bundle),
        "Octopus.Action.Package[Application].PackageFilePath": str(acquired),
        "Octopus.Action.Package[Application].PackageId": "Shop.Web",
        "Octopus.Action.Package[Application].PackageVersion": "1.0.0",
        "Dockwright.Packages": "Application",
        "Dockwright.Home": str(agent.home),
        "Dockwright.Command": str(Path(sys.executable).with_name("dockwright")),
        "Dockwright.Variables": "Awkward\nAbsent",
        "Dockwright.SensitiveVariables": "Password",
        "Awkward": AWKWARD,
        "Password": "hunter2-hunter2",
    }


def run(variables: dict[str, str], tmp_path: Path, heard: Heard) -> int:
    for name in ("here", "private"):
        (tmp_path / name).mkdir()
    body = json.loads(text("Bash"))["Properties"]["Octopus.Action.Script.ScriptBody"]
    script = Script(name="the step", language="sh", text=body.encode())
    given = ScriptRun(
        script=script,
        folder=tmp_path / "here",
        private=tmp_path / "private",
        variables=list(variables.items()),
        time_limit=60,
    )
    return run_script(given, heard)


def test_bash_hands_packages_and_variables_over(home: Agent, tmp_path: Path) -> None:
    got = tmp_path / "got.txt"
    do = (
        f"import pathlib\npathlib.Path({str(got)!r}).write_bytes(context.variables.get('Awkward').encode())\n"
        "report.info('the password is ' + context.variables.get('Password'))\n"
        "report.info('in ' + context.variables.get('Octopus.Environment.Id'))"
    )
    heard = Heard()
    assert run(step(home, do, tmp_path), tmp_path, heard) == 0, heard.text
    assert got.read_bytes().decode() == AWKWARD
    assert "in Environments-1" in heard.text
    assert "hunter2" not in heard.text
    assert any(line.startswith("##octopus[setVariable ") for line in heard.lines)


def test_bash_ends_with_the_exit_code_of_the_deployment(home: Agent, tmp_path: Path) -> None:
    heard = Heard()
    do = "from agent.errors import ContainerError\nraise ContainerError('it never became healthy')"
    assert run(step(home, do, tmp_path), tmp_path, heard) == 9
    assert "##octopus[resultMessage" in heard.text or "it never became healthy" in heard.text


@pytest.mark.parametrize("missing", ["Bundle].ExtractedPath", "Application].PackageFilePath"])
def test_what_is_missing_is_said_in_one_line(home: Agent, tmp_path: Path, missing: str) -> None:
    variables = step(home, "pass", tmp_path)
    variables[f"Octopus.Action.Package[{missing}"] = str(tmp_path / "nowhere")
    heard = Heard()
    assert run(variables, tmp_path, heard) == 1
    assert [line for line in heard.lines if line.startswith("##octopus[resultMessage")]


@pytest.fixture
def home(tmp_path: Path) -> Agent:
    """A home that trusts a signer; nothing listens."""
    return Agent(tmp_path / "agent")
