"""`dockwright --version` answers at once: it imports none of the heavy libraries."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"docker", "lxml", "paramiko", "winrm", "jinja2", "rich", "msgspec", "yaml", "cryptography", "sqlite3"}
DOCKWRIGHT = Path(sys.executable).with_name("dockwright")


def imported(*arguments: str) -> set[str]:
    """The top-level packages that a command imports."""
    return {module.split(".")[0] for module in imported_modules(*arguments)}


def imported_modules(*arguments: str) -> set[str]:
    """All that a command imports, as Python itself tells."""
    command = [sys.executable, "-X", "importtime", str(DOCKWRIGHT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {line.split("|")[-1].strip() for line in done.stderr.splitlines() if "import time:" in line}


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("run", "--help")])
def test_nothing_heavy_is_imported_to_answer(arguments: tuple[str, ...]) -> None:
    modules = imported(*arguments)
    assert "click" in modules
    assert modules & HEAVY == set()


def test_evaluating_a_template_needs_no_engine_and_no_xml() -> None:
    modules = imported("evaluate", "#{A}", "--set", "A=1")
    assert "msgspec" in modules
    assert modules & {"docker", "lxml", "paramiko", "winrm", "jinja2", "rich"} == set()


def test_configuring_an_image_needs_no_host_no_journal_and_no_xml_until_there_is_some(tmp_path: Path) -> None:
    asked = ("configure", "127.0.0.1:1/shop:1", "--tag", "2", "--file", "a.json", "--home", str(tmp_path))
    modules = imported_modules(*asked, "--structured", "a.json")
    assert "agent.images.configure" in modules
    unneeded = {"agent.host", "agent.journal", "difflib", "lxml", "yaml", "sqlite3", "cryptography", "docker", "rich"}
    assert modules & unneeded == set()
