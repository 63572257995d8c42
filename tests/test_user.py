import getpass
import os
import pwd
import tempfile
from pathlib import Path

import pytest

from agent.cli.options import unforeseen
from agent.errors import InputError, StorageError
from agent.host import HostAddress
from agent.journal import Journal, existing_journal, read_runs
from agent.registry import find_credentials
from agent.user import expanded, user_home, user_name
from agent.workspace import default_home
from linux.ssh.known_hosts import read_known_hosts
from linux.ssh.target import Login, read


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that has a number only, as in many containers."""

    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "DOCKWRIGHT_HOME", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.usefixtures("nobody")
def test_a_user_may_have_neither_name_nor_home() -> None:
    assert (user_name(), user_home()) == ("", None)
    assert find_credentials("registry:8080") is None


def test_who_has_both_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert (user_name(), user_home()) == (getpass.getuser(), tmp_path)
    assert expanded("~/x") == tmp_path / "x"
    assert default_home() == Path(os.environ.get("DOCKWRIGHT_HOME") or tmp_path / ".dockwright")


@pytest.mark.usefixtures("nobody")
def test_what_needs_a_home_says_how_to_do_without() -> None:
    with pytest.raises(InputError, match="give --home, or set DOCKWRIGHT_HOME"):
        default_home()
    with pytest.raises(InputError, match="~/key: no such home folder is known"):
        expanded("~/key")


@pytest.mark.usefixtures("nobody")
def test_ssh_without_a_user_asks_for_one_and_takes_the_systems_known_hosts() -> None:
    with pytest.raises(InputError, match="say whom you mean: ssh://USER@HOST"):
        read(HostAddress(url="ssh://web1"))
    assert read_known_hosts(Login(user="jane", host="web1")).file == "/etc/ssh/ssh_known_hosts"


def test_a_journal_that_may_not_be_looked_for_is_no_journal_that_is_missing(tmp_path: Path) -> None:
    assert read_runs(tmp_path / "journal.db") == []
    with pytest.raises(StorageError, match=r"cannot be looked for: .*; choose another --home"):
        read_runs(tmp_path / ("x" * 300) / "journal.db")


def test_a_journal_is_closed_after_it_was_read(tmp_path: Path) -> None:
    Journal(tmp_path / "journal.db").close()
    with existing_journal(tmp_path / "journal.db") as journal:
        assert journal is not None
        assert journal.runs() == []
    with pytest.raises(StorageError, match="closed"):
        journal.runs()


def test_a_damaged_journal_is_told_from_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"no database at all, but long enough to be taken for one")
    with pytest.raises(StorageError, match="it is damaged: restore it, or move it away"):
        read_runs(tmp_path / "journal.db")


def test_a_defect_is_told_where_its_details_find_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    told = str(unforeseen(RuntimeError("s3cret"), lambda text: text.replace("s3cret", "***")))
    assert told.startswith("a defect in dockwright (RuntimeError: ***); please report it (set TMPDIR")
