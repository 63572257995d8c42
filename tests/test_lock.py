import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent.errors import SlotBusyError
from agent.lock import slot_lock, try_lock

HOLDER = """
import sys, time
from pathlib import Path
from agent.lock import slot_lock
with slot_lock(Path(sys.argv[1]), "slot", "Deployments-7", 5, lambda _: None):
    print("held", flush=True)
    time.sleep(600)
"""


def held_elsewhere(home: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def ended(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_a_second_run_is_told_who_holds_the_slot(tmp_path: Path) -> None:
    process = held_elsewhere(tmp_path)
    told: list[str] = []
    try:
        with (
            pytest.raises(SlotBusyError, match="held by Deployments-7"),
            slot_lock(tmp_path, "slot", "Deployments-8", 0.3, told.append),
        ):
            pass
    finally:
        ended(process)
    assert told == ["Deployments-7"]


def test_the_lock_is_free_when_its_holder_is_killed(tmp_path: Path) -> None:
    ended(held_elsewhere(tmp_path))
    with slot_lock(tmp_path, "slot", "Deployments-8", 0, lambda _: None):
        (lock,) = (tmp_path / "locks").iterdir()
        assert lock.read_text(encoding="utf-8") == "Deployments-8"


def test_who_waits_goes_on_when_the_slot_is_free(tmp_path: Path) -> None:
    process = held_elsewhere(tmp_path)
    waiting = threading.Event()

    def end_soon() -> None:
        waiting.wait()
        ended(process)

    threading.Thread(target=end_soon).start()
    with slot_lock(tmp_path, "slot", "Deployments-8", 60, lambda _: waiting.set()):
        assert process.poll() is not None


def test_slots_do_not_exclude_each_other(tmp_path: Path) -> None:
    with (
        slot_lock(tmp_path, "one", "a", 0, lambda _: None),
        slot_lock(tmp_path, "two", "b", 0, lambda _: None),
    ):
        locks = list((tmp_path / "locks").iterdir())
        assert sorted(lock.read_text(encoding="utf-8") for lock in locks) == ["a", "b"]
        assert [try_lock(lock) for lock in locks] == [None, None]


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    with pytest.raises(Exception, match="cannot be made"):
        try_lock(tmp_path / "link")
    assert (tmp_path / "victim").read_text(encoding="utf-8") == "precious"
