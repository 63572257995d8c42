"""What steps say to inputs that they cannot use, before they reach for a host."""

from __future__ import annotations

from pathlib import Path

from tests.system.shop import dockwright, pack


def refused(step: str, inputs: str, folder: Path) -> str:
    """The error for these inputs of a step, whose bundle has the package `Suite`; no host is there."""
    bundle = folder / "bundle"
    (bundle / "packages").mkdir(parents=True)
    (bundle / "rotate.txt").write_text("x", encoding="utf-8")
    (folder / "outside.sh").write_text("x", encoding="utf-8")
    pack(bundle / "packages" / "Suite.1.0.0.zip", {"Dockerfile": "FROM scratch\n"})
    text = f"step: {step}\ninputs: {inputs}\npackages: [{{name: Suite, id: Suite, version: 1.0.0}}]\n"
    (bundle / "step.yaml").write_text(text, encoding="utf-8")
    known = {"RunbookRun.Id": "RunbookRuns-1", "Project.Id": "P-1", "Environment.Id": "E-1"}
    settings = [part for name, value in known.items() for part in ("--set", f"Octopus.{name}={value}")]
    place = ["--home", str(folder / "home"), "--host", "unix:///nowhere.sock", "--output", "json"]
    done = dockwright("run", str(bundle), *place, *settings)
    assert done.code == 3, done.stderr
    return done.error
