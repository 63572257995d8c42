import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import ContainerError, HalfDoneError, HostError
from agent.host import HostAddress
from agent.journal import Journal, NewRun
from agent.slot import guard
from agent.slot.guard import guarded
from linux.sandbox import Sandbox
from tests.patience import eventually

HOST = HostAddress(url="unix:///nowhere/docker.sock", password="hunter2")
HALF_DONE = HalfDoneError(ContainerError("not healthy"), HostError("the machine restarts"))


@pytest.fixture
def guards(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    started: list[subprocess.Popen[bytes]] = []
    start = guard.start_guard

    def noted(home: Path, host: HostAddress, slot: str = "") -> subprocess.Popen[bytes]:
        started.append(start(home, host, slot))
        return started[-1]

    monkeypatch.setattr(guard, "start_guard", noted)
    return started


def begun(home: Path, url: str, container: str = "") -> None:
    values = dict.fromkeys(("release", "project", "environment", "tenant", "step"), "")
    with closing(Journal(home / "journal.db", host=url)) as journal:
        entry = journal.begin(NewRun(id="D1", kind="deployment", slot="shop/test", host=url, **values))
        if container:
            with entry.effect("run", "create", container):
                pass


def state(home: Path, url: str) -> str:
    with closing(Journal(home / "journal.db", host=url)) as journal:
        return journal.runs()[0].state


def test_a_guard_ends_with_a_swap_that_ends(tmp_path: Path, guards: list[subprocess.Popen[bytes]]) -> None:
    begun(tmp_path, HOST.url)
    with guarded(tmp_path, HOST, "shop/test"):
        assert guards[0].poll() is None
    assert guards[0].poll() is not None
    assert state(tmp_path, HOST.url) == "running"


def test_a_guard_ends_with_a_swap_that_was_undone(tmp_path: Path, guards: list[subprocess.Popen[bytes]]) -> None:
    begun(tmp_path, HOST.url)
    with pytest.raises(ContainerError), guarded(tmp_path, HOST, "shop/test"):
        raise ContainerError("not healthy")
    assert guards[0].poll() is not None
    assert state(tmp_path, HOST.url) == "running"


def test_a_guard_goes_on_where_what_ran_could_not_be_put_back(
    tmp_path: Path, guards: list[subprocess.Popen[bytes]]
) -> None:
    begun(tmp_path, HOST.url)
    with pytest.raises(HalfDoneError), guarded(tmp_path, HOST, "shop/test"):
        raise HALF_DONE
    assert guards[0].wait(60) == 0
    assert state(tmp_path, HOST.url) == "interrupted"


def test_a_guard_waits_for_a_machine_that_is_away(
    sandbox: Sandbox, tmp_path: Path, guards: list[subprocess.Popen[bytes]], unique_name: Callable[[str], str]
) -> None:
    address = HostAddress(url=f"unix://{tmp_path}/docker.sock")
    begun(tmp_path, address.url, unique_name("never-made"))
    with pytest.raises(HalfDoneError), guarded(tmp_path, address, "shop/test"):
        raise HALF_DONE
    with pytest.raises(subprocess.TimeoutExpired):
        guards[0].wait(4)
    assert state(tmp_path, address.url) == "running"
    (tmp_path / "docker.sock").symlink_to(sandbox.host.removeprefix("unix://"))
    assert guards[0].wait(60) == 0
    assert state(tmp_path, address.url) == "interrupted"


def test_the_password_of_a_host_is_on_no_command_line(tmp_path: Path, guards: list[subprocess.Popen[bytes]]) -> None:
    with guarded(tmp_path, HOST, "shop/test"):
        words = Path(f"/proc/{guards[0].pid}/cmdline")
        eventually(lambda: b"agent.slot.guard" in words.read_bytes())
        assert b"hunter2" not in words.read_bytes()
