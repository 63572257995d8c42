"""`run-image` with the real engine: what it runs, what it hands back, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.containers.once import ONCE
from agent.host import ContainerHost
from linux.sandbox import Sandbox
from linux.sandbox.engine_call import EngineSocket
from tests.conftest import TestRun
from tests.system.python_image import make_python_image
from tests.system.runbook import SECRET, Runbook
from tests.system.shop import DOCKWRIGHT, dockwright


@pytest.fixture
def runbook(
    sandbox: Sandbox, engine_host: ContainerHost, unique_name: Callable[[str], str], tmp_path: Path
) -> Iterator[Runbook]:
    made = Runbook(name=unique_name("once"), folder=tmp_path, sandbox=sandbox, host=engine_host)
    yield made
    for container in engine_host.find({ONCE: made.slot}):
        engine_host.remove(container.id)
    for image in engine_host.images({ONCE: made.slot}):
        engine_host.remove_image(image.id)


def test_an_image_is_made_run_and_gone(runbook: Runbook) -> None:
    runbook.more = "  transform: {substitute: [run.sh]}\n  artifacts: [/suite/report.txt, /suite/logs]\n"
    runbook.files["run.sh"] = (
        "echo testing in '#{Octopus.Environment.Name}'; echo fine > report.txt; mkdir logs; echo x > logs/x\n"
        "echo \"##octopus[setVariable name='UGFzc2Vk' value='MTI=']\"\n"
    )
    done = runbook.run()
    assert done.code == 0, done.stderr
    assert done.outputs == {"Passed": "12", "ExitCode": "0"}
    assert "testing in Test" in done.stderr
    assert runbook.artifacts()["report.txt"].read_text() == "fine\n"
    with tarfile.open(runbook.artifacts()["logs.tar"]) as logs:
        assert "logs/x" in logs.getnames()
    assert runbook.left() == []


def test_the_exit_code_is_the_containers_and_what_it_left_is_kept(runbook: Runbook) -> None:
    runbook.more = "  artifacts: [/suite/report.txt, /suite/none]\n"
    runbook.files["run.sh"] = "echo 2 failed > report.txt; exit 42"
    done = runbook.run(output="octopus")
    assert done.code == 42
    assert "ended with exit code 42" in done.stdout + done.stderr
    assert "##octopus[createArtifact path=" in done.stdout
    assert "artifact none: " in done.stdout + done.stderr
    assert runbook.artifacts()["report.txt"].read_text() == "2 failed\n"
    assert runbook.left() == []


SCRIPT = """
  run: {user: "12345:12345"}
  script:
    sh: |
      set -x
      set_octopusvariable Length "$(get_octopusvariable suite:password | wc -c)"
      set_octopusvariable Token "derived-$(get_octopusvariable Suite:Password)" -sensitive
      write_highlight "in $(get_octopusvariable Octopus.Environment.Name) as $(id -u)"
      echo "the token is derived-$(get_octopusvariable Suite:Password)"
      echo kept > /tmp/kept.txt; new_octopusartifact /tmp/kept.txt 'Kept file.txt'
      ls -a /.dockwright | grep -q variables && exit 9
      tr '\\0' '\\n' < /proc/self/environ | grep s3cret && exit 10
      exit 0
"""


def test_a_script_runs_in_the_image_with_its_variables_and_no_one_else_sees_them(runbook: Runbook) -> None:
    runbook.more = SCRIPT
    runbook.files["Dockerfile"] = f"FROM {runbook.sandbox.base_image}\nRUN chmod 1777 /tmp\n"
    done = runbook.run()
    assert done.code == 0, done.stderr
    assert done.outputs == {"Length": str(len(SECRET)), "Token": "********", "ExitCode": "0"}
    assert "in Test as 12345" in done.stderr
    assert "the token is ********" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert runbook.artifacts()["Kept file.txt"].read_text() == "kept\n"
    assert runbook.left() == []
    for path in runbook.home.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def test_while_it_runs_an_inspection_shows_no_secret(runbook: Runbook) -> None:
    runbook.more = "  script: {file: wait.sh}\n"
    runbook.bundled["wait.sh"] = "value=$(get_octopusvariable Suite:Password)\nsleep 60"
    with subprocess.Popen([DOCKWRIGHT, *runbook.arguments()], stdout=-1, stderr=-1) as process:
        (container,) = until(lambda: [one for one in runbook.host.find({ONCE: runbook.slot}) if one.running])
        shown = subprocess.run(["docker", "inspect", container.id], capture_output=True, text=True, check=True).stdout
        arguments = Path(f"/proc/{process.pid}/cmdline").read_text()
        listing = subprocess.run(["docker", "top", container.id], capture_output=True, text=True, check=True).stdout
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert "wait" not in listing or SECRET not in listing
    assert SECRET not in shown + arguments + listing
    assert process.returncode == 143
    assert runbook.left() == []


def test_its_time_is_limited(runbook: Runbook) -> None:
    runbook.more = "  time-limit: 1\n  run: {stop-timeout: 0}\n  artifacts: [/suite/so-far]\n"
    runbook.files["run.sh"] = "echo begun; echo half > so-far; sleep 60"
    began = time.monotonic()
    done = runbook.run()
    assert (done.code, time.monotonic() - began < 30) == (9, True), done.stderr
    assert "had not ended after 1 s and was stopped" in done.error
    assert "begun" in done.stderr
    assert runbook.artifacts()["so-far"].read_text() == "half\n"
    assert runbook.left() == []


def test_killed_in_the_middle_nothing_stays_either(runbook: Runbook) -> None:
    runbook.files["run.sh"] = "sleep 60"
    with subprocess.Popen(
        [DOCKWRIGHT, *runbook.arguments()], stdout=-1, stderr=-1, start_new_session=True
    ) as process:
        until(lambda: [one for one in runbook.host.find({ONCE: runbook.slot}) if one.running])
        os.killpg(process.pid, signal.SIGKILL)
    until(lambda: not runbook.left())
    assert runbook.left() == []


GREETING = """
step: run-image
inputs:
  image: {base}
  run: {{command: [there, you]}}
  script: {{sh: "echo hello $1 $2; fail_step 'not today'"}}
"""


def test_an_image_that_is_there_already_is_run_and_stays(runbook: Runbook) -> None:
    runbook.step = GREETING
    done = runbook.run()
    assert done.code == 1
    assert "ended with exit code 1: not today" in done.error
    assert "hello there you" in done.stderr
    assert runbook.host.image(runbook.sandbox.base_image) is not None
    assert runbook.left() == []


def test_an_image_without_the_interpreter_says_what_is_missing(runbook: Runbook) -> None:
    runbook.more = "  script: {python: \"print('hello')\"}\n"
    done = runbook.run()
    assert done.code == 9
    assert "python3" in done.error
    assert runbook.left() == []


def test_a_plan_makes_nothing(runbook: Runbook) -> None:
    runbook.more = "  transform: {substitute: [run.sh]}\n"
    runbook.files["run.sh"] = "echo '#{Octopus.Environment.Name}'"
    done = dockwright("plan", *runbook.arguments()[1:])
    assert done.code == 0, done.stderr
    assert done.answer["step"] == "run-image"
    assert done.answer["way"] == "full build: it is for one run only"
    container = done.answer["container"]
    assert isinstance(container, dict)
    assert container["outage"] == "none: it runs once and is removed"
    assert runbook.left() == []


PYTHON = """
step: run-image
inputs:
  image: {base}
  script:
    python: |
      import os
      set_octopusvariable("Length", len(octopusvariables["SUITE:password"]))
      seen = open("/proc/self/environ").read() + open("/proc/self/cmdline").read()
      set_octopusvariable("Seen", octopusvariables["Suite:Password"] in seen)
      with open("/report.txt", "w") as file:
          file.write("fine")
      createartifact("/report.txt")
      printwarning("careful")
      failstep("enough")
"""


@pytest.fixture(scope="session")
def python_image(sandbox: Sandbox, test_run: TestRun) -> str:
    name = f"{test_run.name('python')}:1"
    make_python_image(name, EngineSocket(sandbox.host.removeprefix("unix://")))
    return name


def test_a_python_script_has_octopus_names_too(runbook: Runbook, python_image: str) -> None:
    runbook.step = PYTHON.replace("{base}", python_image)
    done = runbook.run()
    assert done.code == 1, done.stderr
    assert "ended with exit code 1: enough" in done.error
    assert done.outputs == {"Length": str(len(SECRET)), "Seen": "False"}
    assert "careful" in done.stderr
    assert runbook.artifacts()["report.txt"].read_text() == "fine"


def test_much_output_is_heard_to_the_end_in_little_memory(runbook: Runbook) -> None:
    runbook.files["run.sh"] = (
        "yes 'a line of what programs print when they are told to be verbose' | head -n 30000\n"
        "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the end"
    )
    done = runbook.run()
    assert done.code == 0
    lines = done.stderr.splitlines()
    assert sum("told to be verbose" in line for line in lines) == 30_000
    assert sum(line.count("x") for line in lines if "xxxx" in line) == 3_000_000
    assert any(line.endswith("the end") for line in lines)


def until(condition: Callable[[], object], seconds: float = 30) -> list:  # type: ignore[type-arg]
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)
    return found if isinstance(found, list) else []
