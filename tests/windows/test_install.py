"""The agent on a Windows machine: what is sent there and run, and that the scripts are ones."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import dockerfile
import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from agent.commands import installing
from agent.errors import HostError
from agent.host import HostAddress
from tests.windows.winrm.conftest import PASSWORD
from tests.winrm.server import WinRMServer, prepared, serving
from tests.winrm.settings import Settings

WINDOWS = Path(__file__).parents[2] / "windows"
SCRIPTS = [WINDOWS / "install.ps1", WINDOWS / "uninstall.ps1"]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


@pytest.fixture
def machine(tmp_path: Path, notes: Path) -> Iterator[WinRMServer]:
    """A Windows machine on which PowerShell only notes what it is to run."""
    program = tmp_path / "powershell"
    program.write_text(
        f'#!/bin/sh\nexec {sys.executable} -I {Path(__file__).with_name("powershell.py")} {notes} "$@"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    settings = Settings(root=prepared(tmp_path / "machine"), password=PASSWORD, programs={"powershell": str(program)})
    with serving(settings) as server:
        yield server


def address(machine: WinRMServer) -> HostAddress:
    return HostAddress(url=machine.url, password=PASSWORD)


def left_behind(machine: WinRMServer) -> list[str]:
    return [path.name for path in machine.settings.root.rglob(".dockwright*")]


def test_agent_is_sent_whole_and_installed(machine: WinRMServer, notes: Path) -> None:
    told: list[str] = []
    assert installing.install(address(machine), told.append) == "thumbprint AB12\n"
    arguments = json.loads((notes / "arguments").read_text("utf-8"))
    assert arguments[-4] == "-File"
    assert arguments[-3].endswith("install.ps1")
    (wheel,) = notes.glob("*.whl")
    assert arguments[-1].endswith(wheel.name)
    assert (notes / "install.ps1").read_bytes() == (WINDOWS / "install.ps1").read_bytes()
    packed = zipfile.ZipFile(wheel)
    assert packed.testzip() is None
    assert {"windows/install.ps1", "windows/uninstall.ps1", "agent/cli/__main__.py"} <= set(packed.namelist())
    assert told[-1] == "installing it with what it needs, and starting it"
    assert left_behind(machine) == []
    assert machine.machine.shells == {}


@pytest.mark.parametrize("purge", [False, True])
def test_agent_is_taken_away(machine: WinRMServer, notes: Path, purge: bool) -> None:
    installing.uninstall(address(machine), lambda _text: None, purge=purge)
    arguments = json.loads((notes / "arguments").read_text("utf-8"))
    assert arguments[arguments.index("-File") + 1].endswith("uninstall.ps1")
    assert ("-Purge" in arguments) is purge
    assert left_behind(machine) == []


def test_what_the_script_refuses_is_told_and_nothing_stays(machine: WinRMServer, notes: Path) -> None:
    (notes / "answer").write_text(json.dumps([1, "docker.exe is not on the PATH\r\n"]), encoding="utf-8")
    with pytest.raises(HostError, match=r"cannot install the agent: docker\.exe is not on the PATH"):
        installing.install(address(machine), lambda _text: None)
    assert left_behind(machine) == []


def nodes(script: Path) -> list[Node]:
    """Every node of the script's syntax tree."""
    language = Language(tree_sitter_powershell.language())
    waiting, found = [Parser(language).parse(script.read_bytes()).root_node], []
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += node.children
    return found


def texts(script: Path, kind: str) -> list[str]:
    return [node.text.decode() for node in nodes(script) if node.type == kind and node.text]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_script_is_powershell(script: Path) -> None:
    wrong = [(node.start_point, node.text) for node in nodes(script) if node.type == "ERROR" or node.is_missing]
    assert wrong == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_script_runs_no_text_and_holds_no_secret(script: Path) -> None:
    commands = {name.lower() for name in texts(script, "command_name")}
    assert commands
    assert not commands & {"invoke-expression", "iex", "invoke-webrequest", "iwr", "convertto-securestring"}
    assert not [name for name in texts(script, "variable") if "password" in name.lower() or "secret" in name.lower()]


@pytest.mark.parametrize(
    ("script", "parameters"),
    [
        ("install.ps1", {"$Wheel", "$Folder", "$Data", "$Address"}),
        ("uninstall.ps1", {"$Folder", "$Data", "$Purge"}),
    ],
)
def test_script_takes_what_it_is_given(script: str, parameters: set[str]) -> None:
    declared = [node for node in nodes(WINDOWS / script) if node.type == "script_parameter"]
    names = {
        child.text.decode() for node in declared for child in node.children if child.type == "variable" and child.text
    }
    assert parameters <= names


def test_scripts_are_plain_ascii_for_every_code_page() -> None:
    assert all(script.read_bytes().isascii() for script in SCRIPTS)


def test_image_of_the_agent_listens_at_the_engines_pipe() -> None:
    parsed = dockerfile.parse_file(str(WINDOWS / "agent.Dockerfile"))
    by_name = {each.cmd.upper(): each.value for each in parsed}
    assert by_name["ENTRYPOINT"] == ("C:\\agent\\Scripts\\python.exe", "-m", "agent.cli")
    assert by_name["CMD"][-2:] == ("--host", "npipe://")
