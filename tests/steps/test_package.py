"""The step `package`, run as a user would, where there is no container engine at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.patience import eventually
from tests.system.shop import DOCKWRIGHT, SECRET, Finished, dockwright, pack

STEP = """\
step: package
inputs:
  package: Shop
  into: {into}
  transform: {{structured: [appsettings.json]}}
  keep: 1
  {more}
packages: [{{name: Shop, id: Shop, version: 1.0.0}}]
"""
SERVING = "script: {sh: 'readlink ../../current >> ../../served'}"


class Machine:
    """A machine without an engine, and a folder to deploy into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.into = folder / "opt" / "shop"
        self.more = ""
        self.files: dict[str, str] = {}

    def arguments(self, number: int) -> list[str]:
        bundle = self.folder / "bundle"
        (bundle / "packages").mkdir(parents=True, exist_ok=True)
        (bundle / "step.yaml").write_text(STEP.format(into=self.into, more=self.more), encoding="utf-8")
        pack(bundle / "packages" / "Shop.1.0.0.zip", {"appsettings.json": '{"Key": "none"}\n', **self.files})
        known = {
            "Octopus.Deployment.Id": f"Deployments-{number}",
            "Octopus.Release.Number": "1.0.0",
            "Octopus.Project.Id": "Projects-1",
            "Octopus.Environment.Id": "Environments-1",
            "Octopus.Action.Name": "Shop",
        }
        variables = self.folder / "variables.json"
        plain = [{"k": name, "v": value, "s": False} for name, value in known.items()]
        variables.write_text(json.dumps([*plain, {"k": "Key", "v": SECRET, "s": True}]), encoding="utf-8")
        place = ["--home", str(self.folder / "home"), "--host", "unix:///nowhere.sock"]
        return ["run", str(bundle), "--variables", str(variables), "--output", "json", *place]

    def run(self, number: int) -> Finished:
        return dockwright(*self.arguments(number))

    @property
    def current(self) -> str:
        return (self.into / "current").readlink().name

    @property
    def releases(self) -> list[str]:
        return sorted(path.name for path in (self.into / "releases").iterdir())

    @property
    def served(self) -> list[str]:
        return [Path(line).name for line in (self.into / "served").read_text(encoding="utf-8").split()]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_package_is_configured_in_a_folder_of_its_own_and_switched_to(machine: Machine) -> None:
    done = machine.run(75)
    assert done.code == 0, done.stderr
    assert machine.current == "1.0.0-deployments-75"
    assert json.loads((machine.into / "current" / "appsettings.json").read_text()) == {"Key": SECRET}
    folder = str(machine.into / "releases" / "1.0.0-deployments-75")
    assert done.outputs["Folder"] == done.outputs["Octopus.Action.Package.InstallationDirectoryPath"] == folder
    for path in (machine.folder / "home").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def test_hooks_and_the_script_run_in_order_with_what_came_before(machine: Machine) -> None:
    machine.files = {
        "PreDeploy.sh": "set_octopusvariable Seen 1; echo pre >> order",
        "Deploy.sh": "echo deploy$(get_octopusvariable Seen) >> order; test ! -e ../../current",
        "PostDeploy.sh": "echo post >> order; readlink ../../current > link",
    }
    machine.more = "script: {sh: 'echo script >> order'}"
    done = machine.run(1)
    assert done.code == 0, done.stderr
    current = machine.into / "current"
    assert (current / "order").read_text().split() == ["pre", "deploy1", "script", "post"]
    assert (current / "link").read_text().strip() == "releases/1.0.0-deployments-1"
    assert not list(current.glob("*.sh"))
    assert done.outputs["Seen"] == "1"


@pytest.mark.parametrize("stage", ["PreDeploy", "Deploy", "PostDeploy"])
def test_a_failure_leaves_the_one_before(stage: str, machine: Machine) -> None:
    machine.more = SERVING
    assert machine.run(1).code == 0
    machine.files = {f"{stage}.sh": "fail_step 'not like this'", "DeployFailed.sh": "echo sorry"}
    done = machine.run(2)
    assert done.code == 14
    assert f"{stage}.sh failed: not like this" in done.error
    assert "sorry" in done.stderr
    assert (machine.current, machine.releases) == ("1.0.0-deployments-1", ["1.0.0-deployments-1"])
    after = ["1.0.0-deployments-2", "1.0.0-deployments-1"] if stage == "PostDeploy" else []
    assert machine.served == ["1.0.0-deployments-1", *after]


def test_the_first_failure_leaves_nothing(machine: Machine) -> None:
    machine.files = {"PostDeploy.sh": "exit 3"}
    assert machine.run(1).code == 14
    assert sorted(path.name for path in machine.into.iterdir()) == [".lock", "releases"]
    assert machine.releases == []


def test_earlier_releases_stay_as_many_as_are_wanted(machine: Machine) -> None:
    for number in (1, 2, 3):
        assert machine.run(number).code == 0
    assert machine.releases == ["1.0.0-deployments-2", "1.0.0-deployments-3"]
    again = machine.run(3)
    assert again.code == 0
    assert (machine.current, machine.releases) == (
        "1.0.0-deployments-3_1",
        ["1.0.0-deployments-3", "1.0.0-deployments-3_1"],
    )


def test_killed_after_the_switch_the_next_run_says_so_and_goes_on(machine: Machine) -> None:
    assert machine.run(1).code == 0
    machine.files = {"PostDeploy.sh": "echo $$ > ../../pid; touch ../../reached; sleep 60"}
    with subprocess.Popen(
        [DOCKWRIGHT, *machine.arguments(2)], stdout=-1, stderr=-1, start_new_session=True
    ) as process:
        eventually((machine.into / "reached").exists)
        os.killpg(process.pid, signal.SIGKILL)
    hook = Path("/proc", (machine.into / "pid").read_text().strip(), "cwd")
    eventually(lambda: not hook.exists())
    assert machine.current == "1.0.0-deployments-2"
    machine.files = {"PreDeploy.sh": "readlink ../../current"}
    done = machine.run(3)
    assert done.code == 0, done.stderr
    assert "a run had died while it made 1.0.0-deployments-2" in done.stderr
    assert "releases/1.0.0-deployments-1" in done.stderr
    assert (machine.current, machine.releases) == (
        "1.0.0-deployments-3",
        ["1.0.0-deployments-1", "1.0.0-deployments-3"],
    )


def test_stopped_after_the_switch_the_one_before_serves_at_once(machine: Machine) -> None:
    assert machine.run(1).code == 0
    machine.files = {"PostDeploy.sh": "touch ../../reached; sleep 60"}
    with subprocess.Popen([DOCKWRIGHT, *machine.arguments(2)], stdout=-1, stderr=-1) as process:
        eventually((machine.into / "reached").exists)
        process.terminate()
        process.wait(30)
    assert (machine.current, machine.releases) == ("1.0.0-deployments-1", ["1.0.0-deployments-1"])


@pytest.mark.parametrize(
    ("into", "problem"),
    [
        ("opt/shop", "must be an absolute path"),
        ("/", "must be an absolute path, of a folder for it alone"),
        ("/opt/../etc", "must be an absolute path"),
    ],
)
def test_a_folder_must_be_plain_to_see(into: str, problem: str, machine: Machine) -> None:
    machine.into = Path(into)
    done = machine.run(1)
    assert (done.code, problem in done.error) == (3, True), done.error


def test_what_is_no_link_is_not_replaced(machine: Machine) -> None:
    (machine.into / "current").mkdir(parents=True)
    done = machine.run(1)
    assert done.code == 3
    assert "is a folder or file of its own, no link" in done.error


def test_a_plan_shows_the_files_and_changes_nothing(machine: Machine) -> None:
    machine.files = {"PreDeploy.sh": "touch ran"}
    arguments = machine.arguments(1)
    done = dockwright("plan", *arguments[1:])
    assert done.code == 0, done.stderr
    files = done.answer["files"]
    assert isinstance(files, list)
    assert [file["path"] for file in files] == ["appsettings.json"]
    assert done.answer["hooks"] == ["PreDeploy.sh"]
    assert done.answer["way"] == f"{machine.into / 'current'} leads to releases/1.0.0-deployments-1"
    assert not machine.into.exists()


def test_what_is_no_longer_as_planned_is_not_switched_to(machine: Machine) -> None:
    arguments = machine.arguments(1)
    kept = str(machine.folder / "plan.json")
    assert dockwright("plan", *arguments[1:], "--save", kept).code == 0
    assert dockwright("run", *arguments[1:], "--plan", kept).code == 0
    changed = dockwright("run", *arguments[1:], "--plan", kept, "--set", "Key=another value")
    assert (changed.code, machine.current) == (12, "1.0.0-deployments-1")
