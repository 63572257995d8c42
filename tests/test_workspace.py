import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import StorageError
from agent.workspace import MEMORY, work_folder

HOLDER = """
import sys, time
from pathlib import Path
from agent.workspace import work_folder
with work_folder(Path(sys.argv[1])) as work:
    for folder in work.scratch(10):
        (folder / "file").write_text("x")
        print(folder, flush=True)
    print("", flush=True)
    time.sleep(600)
"""


def test_everything_is_gone_afterwards(tmp_path: Path) -> None:
    with work_folder(tmp_path) as work:
        folders = [work.path, *work.scratch(10)]
        for folder in folders:
            (folder / "file").write_text("x", encoding="utf-8")
        assert all(folder.stat().st_mode & 0o077 == 0 for folder in folders)
    assert not any(folder.exists() for folder in folders)
    assert [path.name for path in (tmp_path / "work").iterdir()] == [".run-lock"]


def test_the_last_scratch_folder_is_on_the_disk_of_the_home(tmp_path: Path) -> None:
    with work_folder(tmp_path) as work:
        *_, last = work.scratch(10)
        assert last.is_relative_to(tmp_path)


def test_what_would_not_fit_in_memory_goes_to_the_disk(tmp_path: Path) -> None:
    with work_folder(tmp_path) as work:
        assert [folder.is_relative_to(tmp_path) for folder in work.scratch(10**18)] == [True]


def test_what_is_discarded_is_removed_before_the_end(tmp_path: Path) -> None:
    with work_folder(tmp_path) as work:
        (folder, *_) = work.scratch(10)
        (folder / "file").write_text("x", encoding="utf-8")
        work.discard(folder)
    assert not folder.exists()


def test_the_folders_of_a_run_that_was_killed_are_removed_by_the_next(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert process.stdout is not None
    folders = [Path(line.strip()) for line in iter(process.stdout.readline, "\n")]
    with work_folder(tmp_path) as work:
        work.scratch(10)
        assert all(folder.exists() for folder in folders), "those of a run that lives stay"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with work_folder(tmp_path) as work:
        work.scratch(10)
        assert not any(folder.exists() for folder in folders)


def test_a_link_in_the_place_of_a_folder_in_memory_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    trap = MEMORY / f"dockwright-{os.geteuid()}-trap"
    trap.symlink_to(precious)
    try:
        with work_folder(tmp_path) as work:
            work.scratch(10)
        assert precious.is_dir()
    finally:
        trap.unlink()


def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="the disk is full at /somewhere; free some space"), work_folder(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere")


def test_a_home_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x", encoding="utf-8")
    with pytest.raises(StorageError, match="home"), work_folder(tmp_path / "home"):
        pass
