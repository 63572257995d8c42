"""Whatever the standard streams are like, a command does its work or says in one line why it cannot."""

from __future__ import annotations

import errno
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli.options import unforeseen
from agent.errors import EXIT_INTERRUPTED, StorageError

DOCKWRIGHT = Path(sys.executable).with_name("dockwright")


def shell(line: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of shell; `$D` is the command, and `$H` a home."""
    environment = {
        "D": str(DOCKWRIGHT),
        "H": str(tmp_path / "home"),
        "PATH": "/usr/bin:/bin",
        "TMPDIR": str(tmp_path),
    }
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    "command",
    [
        "history --home $H >&-",
        "history --home $H --output json >&- 2>&-",
        "evaluate x >&-",
        "evaluate x <&- >&- 2>&-",
        "--version >&-",
    ],
)
def test_closed_streams_are_no_failure(command: str, tmp_path: Path) -> None:
    done = shell(f"$D {command}", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_a_closed_input_is_an_empty_one(tmp_path: Path) -> None:
    done = shell("$D evaluate - <&-", tmp_path)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_what_is_opened_does_not_get_a_closed_streams_number(tmp_path: Path) -> None:
    """What is printed would else go into the journal, or wherever."""
    (tmp_path / "a.txt").write_text("#{A}", encoding="utf-8")
    done = shell("$D transform . --substitute '*.txt' --set A=b <&- >&- 2>&-", tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "b"


@pytest.mark.parametrize("command", ["evaluate x", "--version"])
def test_an_output_without_room_is_one_line_and_no_defect(command: str, tmp_path: Path) -> None:
    done = shell(f"$D {command} > /dev/full", tmp_path)
    assert done.returncode == StorageError.exit_code
    assert "what a command writes cannot be written: No space left on device; make room there" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_goes_away_leaves_no_traceback(tmp_path: Path) -> None:
    done = shell("$D evaluate x | true; $D history --home $H | true", tmp_path)
    assert done.stderr == ""


@pytest.mark.parametrize("text", ["grüße → ž", "caf\udce9"])
def test_a_locale_without_letters_shows_what_it_can(text: str, tmp_path: Path) -> None:
    plain = "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0"
    done = shell(f"{plain} $D evaluate '{text}'", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()


def test_a_disk_that_is_full_is_never_a_defect() -> None:
    failure = unforeseen(OSError(errno.ENOSPC, "No space left on device", "/data/x"), str)
    assert isinstance(failure, StorageError)
    assert str(failure).startswith("/data/x cannot be written: No space left on device; make room there")


@pytest.mark.parametrize("ending", ["end of input", "interrupt"])
def test_a_password_that_is_not_given_ends_the_command_as_an_interrupt(ending: str, tmp_path: Path) -> None:
    ours, its = pty.openpty()
    command = [str(DOCKWRIGHT), "ps", "--host", "winrm://anna@127.0.0.1:1", "--home", str(tmp_path / "home")]
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment, start_new_session=True) as one:
        os.close(its)
        said = b""
        while b"Password for" not in said:
            said += os.read(ours, 1000)
        if ending == "interrupt":
            os.kill(one.pid, signal.SIGINT)
        else:
            os.write(ours, b"\x04")
        assert one.wait(90) == EXIT_INTERRUPTED
    os.close(ours)
    assert list(tmp_path.glob("dockwright-defect-*")) == []
