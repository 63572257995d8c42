"""The step in the README, installed as anybody would install theirs, and run."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
DOCKWRIGHT = Path(sys.executable).with_name("dockwright")


def block(language: str, first_line: str) -> str:
    """The code block of the README that begins with this line."""
    found = re.search(rf"```{language}\n({re.escape(first_line)}\n.*?)```", README.read_text(encoding="utf-8"), re.S)
    assert found is not None
    return found[1]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the README's step installed in it."""
    source = tmp_path_factory.mktemp("source")
    (source / "greeting.py").write_text(block("python", "# greeting.py"), encoding="utf-8")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "greeting"\nversion = "1"\n'
        + block("toml", "# pyproject.toml of your package")
        + '[tool.hatch.build.targets.wheel]\ninclude = ["greeting.py"]\n',
        encoding="utf-8",
    )
    target = tmp_path_factory.mktemp("target")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--disable-pip-version-check", "--target", str(target), str(source)], check=True)
    return target


def dockwright(installed: Path, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "step.yaml").write_text(block("yaml", "# step.yaml\nstep: greeting"), encoding="utf-8")
    settings = {
        "Octopus.Deployment.Id": "Deployments-1",
        "Octopus.Release.Number": "1.0.0",
        "Octopus.Project.Id": "Projects-1",
        "Octopus.Environment.Id": "Environments-1",
        "Octopus.Environment.Name": "Test",
    }
    command = [str(DOCKWRIGHT), *arguments, str(bundle), "--home", str(tmp_path / "home")]
    command += ["--host", "unix:///nowhere.sock"]
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_third_party_step_runs_and_hands_on_its_output(installed: Path, tmp_path: Path) -> None:
    done = dockwright(installed, tmp_path, "run", "--output", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"] == {"Greeting": "Hello Test"}
    assert "Hello Test" in done.stderr


def test_a_step_without_a_plan_says_so(installed: Path, tmp_path: Path) -> None:
    done = dockwright(installed, tmp_path, "plan")
    assert done.returncode == 3
    assert "the step 'greeting' cannot be planned, only run" in done.stderr


def test_a_step_that_is_not_installed_is_named_with_those_that_are(tmp_path: Path) -> None:
    done = dockwright(tmp_path / "nothing", tmp_path, "run")
    assert done.returncode == 3
    assert "no step is called 'greeting'; known are " in done.stderr
    assert "source-image" in done.stderr
