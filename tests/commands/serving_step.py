"""A step and two hosts in memory, registered by entry points as anybody's are."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from urllib.parse import urlsplit

from agent.containers import DEPLOYMENT, SLOT, HealthSettings, Replacement, RunSettings, replace
from agent.host import ContainerHost, HostAddress
from agent.step import Outcome, StepContext
from agent.testing import MemoryHost

IMAGE = "registry/shop:1"
PASSWORDS: defaultdict[str, list[str]] = defaultdict(list)
HOSTS: dict[str, MemoryHost] = {}


def connect(address: HostAddress) -> ContainerHost:
    """The host in memory of that name, with what opens it noted."""
    name = urlsplit(address.url).hostname or ""
    PASSWORDS[name].append(address.password)
    return HOSTS[name]


class ServingStep:
    """Runs an image that is there, in the place of what served."""

    def run(self, context: StepContext) -> Outcome:
        deployment = context.deployment
        health = HealthSettings(timeout=0.2, interval=0.01, settle=0)
        settings = RunSettings(name="web", restart="no", health=health)
        labels = {SLOT: deployment.slot, DEPLOYMENT: deployment.id}
        spec = settings.specification(IMAGE, deployment.suffix, labels)
        with context.report.stage("run"):
            wanted = Replacement(slot=deployment.slot, spec=spec, health=health, keep=3)
            done = replace(wanted, context.host, context.journal, context.guard, context.report.info)
        name = done.container.name
        outputs = {"Image": IMAGE, "Address": context.host_url}
        return Outcome(outputs=outputs, container=name)


def register(folder: Path) -> None:
    """Make `folder`, once it is on the path, one where both are installed."""
    information = folder / "serving_step-1.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: serving-step\nVersion: 1\n", encoding="utf-8")
    (information / "entry_points.txt").write_text(
        f"[dockwright.steps]\nserving = {__name__}:ServingStep\n[dockwright.hosts]\nmemory = {__name__}:connect\n",
        encoding="utf-8",
    )
