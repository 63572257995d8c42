import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import StorageError
from agent.journal import Journal, NewRun


def new_run(run_id: str = "Deployments-1", slot: str = "p/e/untenanted/s") -> NewRun:
    return NewRun(
        id=run_id,
        kind="deployment",
        slot=slot,
        release="1.0.0",
        project="p",
        environment="e",
        tenant="",
        step="s",
        host="unix://",
    )


def test_a_run_is_running_until_it_is_finished(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    entry = journal.begin(new_run())
    assert [run.state for run in journal.runs()] == ["running"]
    assert [run.id for run in journal.unfinished("p/e/untenanted/s")] == ["Deployments-1"]
    entry.note(image="r/i:t", digest="sha256:1")
    entry.note(configuration="c")
    entry.finish("succeeded", container="web-1", boot_seconds=2.5, outputs={"Image": "r/i:t"})
    (run,) = journal.runs()
    assert (run.state, run.image, run.digest, run.configuration) == ("succeeded", "r/i:t", "sha256:1", "c")
    assert (run.container, run.boot_seconds, run.outputs) == ("web-1", 2.5, {"Image": "r/i:t"})
    assert run.seconds is not None
    assert journal.unfinished("p/e/untenanted/s") == []


def test_an_effect_is_there_as_intent_before_it_happens(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    entry = journal.begin(new_run())
    (record,) = journal.runs()
    with entry.effect("run", "stop", "web-1"):
        (during,) = journal.effects(record)
        assert (during.kind, during.name, during.done, during.failed) == ("stop", "web-1", "", "")
    (after,) = journal.effects(record)
    assert after.done


def test_a_failed_effect_keeps_its_reason_and_the_error_goes_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    entry = journal.begin(new_run())
    with pytest.raises(ValueError, match="broken"), entry.effect("run", "start", "web-1"):
        raise ValueError("broken")
    (record,) = journal.runs()
    (effect,) = journal.effects(record)
    assert (effect.done, effect.failed) == ("", "ValueError: broken")


def test_runs_come_newest_first_and_by_slot(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    for number, slot in enumerate(["a", "b", "a"]):
        journal.begin(new_run(f"Deployments-{number}", slot))
    assert [run.id for run in journal.runs()] == ["Deployments-2", "Deployments-1", "Deployments-0"]
    assert [run.id for run in journal.runs("a")] == ["Deployments-2", "Deployments-0"]
    assert [run.id for run in journal.runs("a", limit=1)] == ["Deployments-2"]
    assert journal.slots() == ["a", "b"]


def test_no_secret_reaches_the_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db", lambda text: text.replace("hunter2", "***"))
    entry = journal.begin(new_run())
    entry.changes([("structured", "a.json", "Password", "Password", "old", "hunter2")])
    entry.note(image="hunter2")
    with pytest.raises(ValueError, match="hunter2"), entry.effect("run", "start", "hunter2"):
        raise ValueError("hunter2")
    entry.finish("failed", "wrong password hunter2", outputs={"Password": "hunter2"})
    journal.close()
    for path in tmp_path.iterdir():
        assert b"hunter2" not in path.read_bytes()


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from agent.journal import Journal
from tests_new_run import new_run
journal = Journal(Path(sys.argv[1]))
entry = journal.begin(new_run())
for number in range(10**6):
    with entry.effect("run", "start", str(number)):
        pass
    print(number, flush=True)
"""
    (tmp_path / "tests_new_run.py").write_text(
        "from agent.journal import NewRun\n"
        "def new_run():\n"
        "    return NewRun(id='d', kind='deployment', slot='s', release='', project='', environment='',\n"
        "                  tenant='', step='', host='')\n",
        encoding="utf-8",
    )
    path = tmp_path / "journal.db"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path.cwd())])}
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    journal = Journal(path)
    (record,) = journal.unfinished("s")
    done = [effect.name for effect in journal.effects(record) if effect.done]
    assert done[: len(acknowledged)] == [line.strip() for line in acknowledged if line.endswith("\n")]


def test_a_journal_of_one_host_tells_of_that_host_only(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    everything = Journal(path)
    empty = dict.fromkeys(("release", "project", "environment", "tenant", "step"), "")
    for number, (slot, host) in enumerate(
        [("a", "unix://"), ("a", "ssh://one"), ("b", "ssh://me@ONE:22"), ("a", "unix:///var/run/docker.sock")]
    ):
        everything.begin(NewRun(id=str(number), kind="deployment", slot=slot, host=host, **empty))
    local, remote, other = (Journal(path, host=host) for host in ("unix://", "ssh://one?engine=cli", "ssh://two"))
    assert [run.id for run in local.runs("a")] == ["3", "0"]
    assert [run.id for run in local.runs("a", limit=1)] == ["3"]
    assert [run.id for run in remote.runs()] == ["2", "1"]
    assert [run.id for run in remote.unfinished("a")] == ["1"]
    assert (local.slots(), remote.slots(), other.slots()) == (["a"], ["b", "a"], [])
    assert len(everything.runs()) == len(everything.runs("a")) + 1 == 4
    for journal in (everything, local, remote, other):
        journal.close()


def test_what_was_built_or_pushed_anywhere_is_known_by_name(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    empty = dict.fromkeys(("release", "project", "environment", "tenant", "step"), "")
    for host in ("unix://", "ssh://one"):
        journal = Journal(path, host=host)
        entry = journal.begin(NewRun(id=host, kind="deployment", slot="a", host=host, **empty))
        for kind in ("build", "push", "create"):
            with entry.effect("build", kind, f"{kind}-{host}"):
                pass
        journal.close()
    here = Journal(path, host="unix://")
    assert here.built() == {"build-unix://", "push-unix://", "build-ssh://one", "push-ssh://one"}
    assert [run.id for run in here.all_runs()] == ["ssh://one", "unix://"]
    here.close()


def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal(path).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StorageError, match="newer dockwright"):
        Journal(path)


def test_a_journal_that_is_no_database_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"this is no database, whatever its name may say")
    with pytest.raises(StorageError, match=r"journal\.db cannot be used: file is not a database"):
        Journal(path)
