"""A runbook to run, and a way to look at what it has left."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from agent.containers.once import ONCE
from agent.host import ContainerHost
from linux.sandbox import Sandbox
from tests.system.shop import Finished, dockwright, pack

SECRET = "s3cret-of-the-suite"
STEP = """\
step: run-image
inputs:
  source: Suite
{more}
packages: [{{name: Suite, id: Suite, version: 1.0.0}}]
"""


@dataclass
class Runbook:
    """A bundle with a source package, to be run as a runbook."""

    name: str
    folder: Path
    sandbox: Sandbox
    host: ContainerHost
    more: str = ""
    step: str = STEP
    files: dict[str, str] = field(default_factory=dict)
    bundled: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def slot(self) -> str:
        return f"projects-1/environments-1/untenanted/{self.name}"

    def arguments(self, number: int = 1, output: str = "json") -> list[str]:
        bundle = self.folder / "bundle"
        (bundle / "packages").mkdir(parents=True, exist_ok=True)
        (bundle / "step.yaml").write_text(self.step.format(more=self.more, base=self.sandbox.base_image))
        for name, text in self.bundled.items():
            (bundle / name).write_text(text)
        dockerfile = f'FROM {self.sandbox.base_image}\nCOPY . /suite\nWORKDIR /suite\nCMD ["sh", "run.sh"]\n'
        pack(bundle / "packages" / "Suite.1.0.0.zip", {"Dockerfile": dockerfile, **self.files})
        variables = self.folder / "variables.json"
        known = {
            "Octopus.RunbookRun.Id": f"RunbookRuns-{number}",
            "Octopus.Project.Id": "Projects-1",
            "Octopus.Environment.Id": "Environments-1",
            "Octopus.Environment.Name": "Test",
            "Octopus.Action.Name": self.name,
        }
        plain = [{"k": name, "v": value, "s": False} for name, value in known.items()]
        variables.write_text(json.dumps([*plain, {"k": "Suite:Password", "v": SECRET, "s": True}]))
        return [
            *("run", str(bundle), "--host", self.sandbox.host, "--home", str(self.home)),
            *("--variables", str(variables), "--output", output),
        ]

    def run(self, number: int = 1, output: str = "json") -> Finished:
        return dockwright(*self.arguments(number, output))

    def left(self) -> list[str]:
        """Containers and images that were made for a run and are there still."""
        labels = {ONCE: self.slot}
        return [*(one.name for one in self.host.find(labels)), *(one.id for one in self.host.images(labels))]

    def artifacts(self) -> dict[str, Path]:
        return {path.name: path for path in self.home.glob("artifacts/*/*")}
