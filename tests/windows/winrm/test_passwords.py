"""Where a host's password comes from: a file, the environment, a terminal; and from nowhere else."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from linux.sandbox import Sandbox
from tests.windows.winrm.conftest import PASSWORD, OpenMachine

PATIENCE = 120


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """What a command said on its terminal, and its exit code."""

    code: int
    said: str


def command(url: str, home: Path, *more: str) -> list[str]:
    return [sys.executable, "-P", "-m", "agent.cli", "ps", "--home", str(home), "--host", url, *more]


def environment(**more: str) -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if name != "DOCKWRIGHT_HOST_PASSWORD"}
    return {**known, "PYTHONPATH": str(Path.cwd()), **more}


@pytest.fixture
def url(open_machine: OpenMachine, sandbox: Sandbox) -> str:
    return f"{open_machine(environment={'DOCKER_HOST': sandbox.host}).server.url}&engine=cli"


def test_terminal_is_asked_once_and_does_not_show_it(url: str, tmp_path: Path) -> None:
    done = typed(command(url, tmp_path), PASSWORD.encode() + b"\n")
    assert done.code == 0
    assert done.said.count("Password for winrm://") == 1
    assert PASSWORD not in done.said


@pytest.mark.parametrize("key", [b"\x03", b"\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_leaving_the_question_ends_quietly(url: str, tmp_path: Path, key: bytes) -> None:
    done = typed(command(url, tmp_path), key)
    assert done.code == 130
    assert "defect" not in done.said


@pytest.mark.parametrize(
    ("options", "told"),
    [("&transport=kerberos", "Kerberos"), ("&transport=certificate&scheme=https", "needs certificate=FILE")],
)
def test_login_without_a_password_asks_for_none(url: str, tmp_path: Path, options: str, told: str) -> None:
    other = url.replace("?scheme=http", "?").replace("?&", "?")
    done = typed(command(f"{other}{options}", tmp_path), b"")
    assert "Password for" not in done.said
    assert told in " ".join(done.said.split())


def test_password_in_a_url_is_refused_before_anything_is_asked(url: str, tmp_path: Path) -> None:
    done = typed(command(url.replace("deployer@", "deployer:sEcret@"), tmp_path), b"")
    assert done.code == 3
    assert "holds no password; give it by" in " ".join(done.said.split())
    assert "sEcret" not in done.said


def test_file_wins_over_the_environment(url: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    given = command(url, tmp_path / "home", "--host-password-file", str(file))
    assert run(given, DOCKWRIGHT_HOST_PASSWORD="wrong").returncode == 0
    assert run(command(url, tmp_path / "home"), DOCKWRIGHT_HOST_PASSWORD=PASSWORD).returncode == 0


def test_nobody_is_asked_without_a_terminal(url: str, tmp_path: Path) -> None:
    done = run(command(url, tmp_path))
    assert done.returncode == 10
    assert b"no password for deployer; give it by --host-password-file or in DOCKWRIGHT_HOST_PASSWORD" in done.stderr


def run(arguments: list[str], **more: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        arguments,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(**more),
        timeout=PATIENCE,
        check=False,
    )


def typed(arguments: list[str], keys: bytes) -> Terminal:
    """Run on a terminal of its own; `keys` are typed once it has stopped showing what is typed."""
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *arguments], stdin=end, stdout=end, stderr=end, env=environment(TERM="dumb")
    )
    os.close(end)
    said, waiting, deadline = b"", bool(keys), time.monotonic() + PATIENCE
    with suppress(OSError, termios.error):  # the terminal's other end is closed: the command has ended
        while time.monotonic() < deadline:
            if waiting and not termios.tcgetattr(terminal)[3] & termios.ECHO:
                os.write(terminal, keys)
                waiting = False
            if select.select([terminal], [], [], 0.05)[0]:
                said += os.read(terminal, 4096)
    os.close(terminal)
    return Terminal(code=process.wait(PATIENCE), said=said.decode("utf-8", "replace"))
