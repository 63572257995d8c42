"""A host and a step that can be planned, registered by entry points as anybody's are."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from agent.cli.main import commands
from agent.host import ContainerHost, HostAddress
from agent.plan import Plan
from agent.step import Outcome, StepContext
from agent.testing import MemoryHost

SETTINGS = {
    "Octopus.Deployment.Id": "Deployments-1",
    "Octopus.Release.Number": "1.0.0",
    "Octopus.Project.Id": "Projects-1",
    "Octopus.Environment.Id": "Environments-1",
}


class Inputs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """The step's inputs in `step.yaml`."""

    how_often: int = 1


class CountingStep:
    """Counts, and can say beforehand how far."""

    def run(self, context: StepContext) -> Outcome:
        inputs = context.decode(Inputs)
        context.report.stages(("count",))
        context.confirm(lambda: self.plan(context))
        with context.report.stage("count"), context.journal.effect("count", "write", "counted"):
            (context.work / "counted").write_text("x" * inputs.how_often, encoding="utf-8")
            context.report.detail(f"on {context.host.platform()}")
        return Outcome(outputs={"Count": str(inputs.how_often)})

    def plan(self, context: StepContext) -> Plan:
        deployment, often = context.deployment, context.decode(Inputs).how_often
        return Plan(
            deployment=deployment.id,
            slot=deployment.slot,
            step="counting",
            host=context.host_url,
            configuration=str(often),
        )


def connect(address: HostAddress) -> ContainerHost:
    return MemoryHost(url=address.url)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    information = tmp_path / "installed" / "acme-1.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n", encoding="utf-8")
    points = f"[dockwright.steps]\ncounting = {__name__}:CountingStep\nbroken = acme.nowhere:Step\n"
    points += f"[dockwright.hosts]\nacme = {__name__}:connect\n"
    (information / "entry_points.txt").write_text(points, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / "installed")
    (tmp_path / "bundle").mkdir()
    return tmp_path


def dockwright(folder: Path, command: str, step: str, *more: str) -> Result:
    (folder / "bundle" / "step.yaml").write_text(step, encoding="utf-8")
    place = ["--home", str(folder / "home"), "--host", "acme://here", "--output", "plain"]
    given = [part for name, value in SETTINGS.items() for part in ("--set", f"{name}={value}")]
    return CliRunner().invoke(commands, [command, str(folder / "bundle"), *place, *given, *more])


def test_a_step_and_a_host_of_anybodys_are_planned_and_run_as_planned(folder: Path) -> None:
    saved = str(folder / "plan.json")
    step = "step: counting\ninputs: {how-often: 3}\n"
    planned = dockwright(folder, "plan", step, "--save", saved)
    assert planned.exit_code == 0, planned.output
    assert planned.output.splitlines()[0] == (
        "Plan for Deployments-1 in projects-1/environments-1/untenanted/counting on acme://here"
    )
    assert "Packages" not in planned.output
    assert "Folder" not in planned.output
    done = dockwright(folder, "run", step, "--plan", saved)
    assert done.exit_code == 0, done.output
    assert "on linux/amd64" in done.output
    other = dockwright(folder, "run", step.replace("3", "4"), "--plan", saved)
    assert other.exit_code == 12, other.output


def test_a_key_that_the_steps_type_does_not_know_is_refused_with_a_suggestion(folder: Path) -> None:
    done = dockwright(folder, "run", "step: counting\ninputs: {how-oftn: 3}\n")
    assert done.exit_code == 3
    assert "unknown key 'how-oftn'; did you mean 'how-often'?" in done.output


def test_a_step_that_cannot_be_loaded_is_one_line(folder: Path) -> None:
    done = dockwright(folder, "run", "step: broken\n")
    assert done.exit_code == 3
    assert "'broken' (acme.nowhere:Step) is installed but cannot be loaded: No module named 'acme'" in done.output


@pytest.mark.usefixtures("folder")
def test_the_doctor_tells_of_a_home_that_may_not_be_looked_at(tmp_path: Path) -> None:
    home = tmp_path / ("x" * 300)  # no system looks for such a name; as it does not behind closed doors
    done = CliRunner().invoke(commands, ["doctor", "--home", str(home), "--host", "acme://here", "--output", "plain"])
    assert done.exit_code == 1
    assert "ok    engine: acme://here" in done.output
    assert "cannot be written (File name too long); choose another --home" in done.output
    assert f"GB free at {tmp_path}" in done.output
