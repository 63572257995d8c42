"""The sandbox finds, makes, reuses and ends; and ends nothing that it did not begin."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from time import sleep

import pytest

from agent.errors import HostError, StorageError
from linux.sandbox import Sandbox, down, up
from linux.sandbox.engine_call import EngineSocket
from linux.sandbox.lifecycle import Say
from linux.sandbox.processes import Process, is_alive, spawn, terminate
from linux.sandbox.state import load_state
from tests.conftest import TestRun


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def say(said: list[str]) -> Say:
    return said.append


@pytest.fixture
def image(test_run: TestRun) -> str:
    return f"{test_run.name('sandbox')}/base:1"


@pytest.fixture
def state(sandbox: Sandbox, tmp_path: Path, say: Say) -> Iterator[Path]:
    """A second sandbox's folder, on the first one's engine."""
    yield tmp_path / "state"
    down(tmp_path / "state", say=say)


def answers(registry: str) -> bool:
    connection = HTTPConnection(registry, timeout=5)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_up_finds_the_engine_and_makes_the_rest(state: Path, image: str, said: list[str], say: Say) -> None:
    made = up(state, base_image=image, say=say)
    assert answers(made.registry)
    assert EngineSocket(made.host.removeprefix("unix://")).has_image(image)
    assert [line.split()[0] for line in said] == ["found", "started", "made"]


def test_second_up_finds_what_the_first_made(state: Path, image: str, said: list[str], say: Say) -> None:
    first = up(state, base_image=image, say=say)
    said.clear()
    assert up(state, base_image=image, say=say) == first
    assert [line.split()[0] for line in said] == ["found", "found", "found"]


def test_down_takes_away_what_up_made_and_no_engine(state: Path, image: str, said: list[str], say: Say) -> None:
    made = up(state, base_image=image, say=say)
    down(state, say=say)
    engine = EngineSocket(made.host.removeprefix("unix://"))
    assert not answers(made.registry)
    assert not engine.has_image(image)
    assert engine.answers()
    assert not (state / "registry").exists()
    said.clear()
    down(state, say=say)
    assert said == []


def test_image_that_was_there_before_stays(state: Path, sandbox: Sandbox, say: Say) -> None:
    up(state, base_image=sandbox.base_image, say=say)
    down(state, say=say)
    assert EngineSocket(sandbox.host.removeprefix("unix://")).has_image(sandbox.base_image)


def test_registry_that_died_is_started_again(state: Path, image: str, said: list[str], say: Say) -> None:
    up(state, base_image=image, say=say)
    process = load_state(state).registry
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    said.clear()
    assert answers(up(state, base_image=image, say=say).registry)
    assert said[1].startswith("started a registry")


def test_base_image_serves_a_page(sandbox: Sandbox, test_run: TestRun) -> None:
    engine = EngineSocket(sandbox.host.removeprefix("unix://"))
    script = "echo fine > /tmp/index.html; httpd -p 80 -h /tmp; wget -q -O - http://127.0.0.1/; id -u; ls -d /tmp"
    body = {"Image": sandbox.base_image, "Cmd": ["sh", "-c", script], "Tty": True}
    status, answer = engine.call("POST", "/containers/create", query={"name": test_run.name("page")}, body=body)
    assert status == 201
    container = json.loads(answer)["Id"]
    engine.call("POST", f"/containers/{container}/start")
    engine.call("POST", f"/containers/{container}/wait")
    _, output = engine.call("GET", f"/containers/{container}/logs?stdout=1&stderr=1")
    assert output.split() == [b"fine", b"0", b"/tmp"]


def test_number_used_again_is_another_process(tmp_path: Path) -> None:
    process = spawn([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log")
    assert is_alive(process)
    other = Process(pid=process.pid, started=process.started + 1, boot=process.boot)
    before_boot = Process(pid=process.pid, started=process.started, boot="another")
    assert not is_alive(other)
    assert not terminate(other)
    assert not terminate(before_boot)
    assert is_alive(process)
    assert terminate(process)
    assert not is_alive(process)
    assert not terminate(process)


def test_one_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    process = spawn(["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"], tmp_path / "log")
    while "ready" not in (tmp_path / "log").read_text(encoding="utf-8"):
        assert is_alive(process)
        sleep(0.02)
    assert terminate(process, seconds=0.2)
    assert not is_alive(process)


def test_what_cannot_be_started_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="no-such-program: cannot be started"):
        spawn(["no-such-program"], tmp_path / "log")


def test_damaged_state_is_named(tmp_path: Path, say: Say) -> None:
    (tmp_path / "state.json").write_text("{", encoding="utf-8")
    with pytest.raises(StorageError, match=r"state\.json: cannot be read"):
        down(tmp_path, say=say)


def test_down_of_nothing_is_fine(tmp_path: Path, said: list[str], say: Say) -> None:
    down(tmp_path / "nothing", say=say)
    assert said == []
    assert not (tmp_path / "nothing").exists()


def test_command_line_says_what_is_missing(tmp_path: Path) -> None:
    """Without root or an engine there is one line, and the exit code of a host that cannot be used."""
    command = [sys.executable, "-m", "linux.sandbox", "up", "--state", str(tmp_path / "state")]
    elsewhere = os.environ | {"DOCKER_HOST": "tcp://10.0.0.5:2375"}
    done = subprocess.run(command, env=elsewhere, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (10, "")
    assert done.stderr.startswith("DOCKER_HOST is tcp://10.0.0.5:2375")
    assert done.stderr.count("\n") == 1
