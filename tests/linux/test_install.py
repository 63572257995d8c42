"""How packages are installed: without questions, and after whoever holds apt's locks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.errors import HostError
from linux.sandbox.install import install, program


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose `apt-get` runs `script` and writes its arguments down."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def script(folder: Path, body: str) -> None:
    path = folder / "apt-get"
    path.write_text(f'#!/bin/sh\necho "$DEBIAN_FRONTEND: $*" >> {folder}/asked\n{body}\n', encoding="utf-8")
    path.chmod(0o755)


def asked(folder: Path) -> list[str]:
    return (folder / "asked").read_text(encoding="utf-8").splitlines()


def test_lists_are_refreshed_and_nothing_is_asked(apt: Path) -> None:
    script(apt, "exit 0")
    said: list[str] = []
    install(["docker.io", "iptables"], said.append)
    assert said == ["installing docker.io iptables"]
    assert asked(apt) == [
        "noninteractive: -q -o DPkg::Lock::Timeout=300 update",
        "noninteractive: -q -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends -- docker.io iptables",
    ]


def test_another_apt_is_waited_for(apt: Path) -> None:
    script(apt, f"[ $(wc -l < {apt}/asked) -gt 2 ] || {{ echo 'E: Could not get lock /var/lib/apt'; exit 100; }}")
    pauses: list[float] = []
    install(["x"], lambda _line: None, pauses.append)
    assert pauses == [2, 2]
    assert len(asked(apt)) == 4


def test_failure_shows_apts_last_words(apt: Path) -> None:
    script(apt, "echo one; echo 'E: Unable to locate package x' >&2; exit 100")
    with pytest.raises(HostError, match="apt-get update failed; install it by hand") as failed:
        install(["x"], lambda _line: None)
    assert failed.value.output == ("one", "E: Unable to locate package x")


def test_program_is_found_where_only_root_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program("no-such-program") is None
    assert program("useradd") == "/usr/sbin/useradd"
