import getpass
import io
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import HostError, SlotBusyError
from agent.host import HostAddress
from agent.journal import Journal, NewRun
from agent.lock import slot_lock
from agent.plugins import connection
from agent.report import Report, open_report
from agent.slot.place import held, open_place, settle
from agent.testing import MemoryHost
from tests.commands.serving_step import HOSTS, register
from tests.patience import eventually

ADDRESS = HostAddress(url="memory://east")


@pytest.fixture
def east(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryHost]:
    register(tmp_path / "installed")
    monkeypatch.syspath_prepend(tmp_path / "installed")
    HOSTS["east"] = MemoryHost(url=ADDRESS.url)
    yield HOSTS["east"]
    HOSTS.clear()


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def report(said: io.StringIO) -> Report:
    return open_report("plain", verbose=False, is_terminal=False, environ={}, stdout=said, stderr=said)


@pytest.mark.parametrize("early", [True, False])
def test_a_host_that_was_reached_is_closed_once_in_the_end(early: bool, east: MemoryHost) -> None:
    with connection(ADDRESS, early=early) as connect:
        assert connect() is connect() is east
        assert "close" not in east.calls
    assert east.calls == ["close"]


def test_a_host_is_closed_after_a_failure_too(east: MemoryHost) -> None:
    east.fail_next("platform", HostError("lost"))
    with pytest.raises(HostError, match="lost"), connection(ADDRESS) as connect:
        connect().platform()
    assert east.calls == ["platform", "close"]


def test_a_host_that_nobody_asked_for_is_not_reached(east: MemoryHost) -> None:
    with connection(ADDRESS):
        pass
    assert east.calls == []


def test_a_host_that_was_reached_early_and_never_asked_for_is_closed_all_the_same(east: MemoryHost) -> None:
    with connection(ADDRESS, early=True):
        pass
    eventually(lambda: east.calls)
    assert east.calls == ["close"]


@pytest.mark.parametrize("early", [True, False])
def test_a_host_that_cannot_be_reached_fails_where_it_is_asked_for(early: bool) -> None:
    with connection(HostAddress(url="nothing://here"), early=early) as connect:
        for _ in range(2):
            with pytest.raises(HostError, match="no kind of host is known"):
                connect()


def test_what_a_dead_run_left_is_put_right_before_a_slot_is_worked_in(
    east: MemoryHost, report: Report, tmp_path: Path
) -> None:
    values = dict.fromkeys(("release", "project", "environment", "tenant", "step"), "")
    with open_place(tmp_path, ADDRESS, report) as place:
        place.journal.begin(NewRun(id="D1", kind="deployment", slot="slot", host=ADDRESS.url, **values))
        with held(place, "slot", "a test", wait=0):
            assert [run.state for run in place.journal.runs()] == ["interrupted"]


def test_who_waits_for_a_slot_is_told_who_holds_it(report: Report, said: io.StringIO, tmp_path: Path) -> None:
    with (
        slot_lock(tmp_path, "slot", "Deployments-7", 0, print, host=ADDRESS.url),
        open_place(tmp_path, ADDRESS, report) as place,
        pytest.raises(SlotBusyError, match="held by Deployments-7"),
        held(place, "slot", "a test", wait=0.2),
    ):
        pass
    assert "waiting for Deployments-7, which holds the slot slot" in said.getvalue()


def test_a_user_without_a_name_may_hold_a_slot(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", nameless)
    with open_place(tmp_path, ADDRESS, report) as place, held(place, "slot", "a test", wait=0):
        (lock,) = (tmp_path / "locks").iterdir()
        assert lock.read_text(encoding="utf-8").startswith("a test (process ")


def test_the_journal_is_closed_in_the_end(report: Report, tmp_path: Path) -> None:
    with open_place(tmp_path, ADDRESS, report) as place:
        opened: Journal = place.journal
        assert opened.runs() == []
    with pytest.raises(Exception, match="closed"):
        opened.runs()


def test_a_look_puts_right_what_a_dead_run_left(tmp_path: Path, east: MemoryHost, report: Report) -> None:
    (abandoned := tmp_path / "work" / "run-dead" / "step").mkdir(parents=True)
    with closing(Journal(tmp_path / "journal.db", host=ADDRESS.url)) as journal:
        journal.begin(dead_run("shop/test"))
    settle(tmp_path, ADDRESS, report)
    with closing(Journal(tmp_path / "journal.db", host=ADDRESS.url)) as journal:
        assert [run.state for run in journal.runs()] == ["interrupted"]
    assert not abandoned.exists()


def test_a_look_leaves_a_run_alone_that_still_lives(
    tmp_path: Path, east: MemoryHost, report: Report, said: io.StringIO
) -> None:
    with closing(Journal(tmp_path / "journal.db", host=ADDRESS.url)) as journal:
        journal.begin(dead_run("shop/test"))
        with slot_lock(tmp_path, "shop/test", "another", 0, lambda _: None, host=ADDRESS.url):
            settle(tmp_path, ADDRESS, report)
        assert [run.state for run in journal.runs()] == ["running"]
    assert said.getvalue() == ""


def test_a_look_removes_folders_of_the_dead_though_no_run_is_open(
    tmp_path: Path, east: MemoryHost, report: Report
) -> None:
    (abandoned := tmp_path / "work" / "run-dead" / "step").mkdir(parents=True)
    Journal(tmp_path / "journal.db", host=ADDRESS.url).close()
    settle(tmp_path, ADDRESS, report)
    assert not abandoned.exists()


def test_a_look_makes_no_home(tmp_path: Path, east: MemoryHost, report: Report) -> None:
    settle(tmp_path / "none", ADDRESS, report)
    assert not (tmp_path / "none").exists()
    assert east.calls == []


def dead_run(slot: str) -> NewRun:
    values = dict.fromkeys(("release", "project", "environment", "tenant", "step"), "")
    return NewRun(id="Deployments-1", kind="deployment", slot=slot, host=ADDRESS.url, **values)
