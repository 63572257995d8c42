"""`make demo-stop` removes what the demo's own journal knows, and nothing else."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from agent.host import HostAddress
from agent.journal import Journal, NewRun
from linux.demo import stop
from linux.local import connect
from linux.sandbox import Sandbox
from tests.conftest import TestRun


def test_stop_removes_every_image_that_the_demo_built(sandbox: Sandbox, test_run: TestRun, tmp_path: Path) -> None:
    name = test_run.name("demo")
    release, deployed, other = (f"{name}:{tag}" for tag in ("1.0-pkg-1", "1.0-deployments-1", "other"))
    home = tmp_path / "state" / "home"
    home.mkdir(parents=True)
    nothing = dict.fromkeys(("release", "project", "environment", "tenant", "step"), "")
    with closing(connect(HostAddress(url=sandbox.host))) as host:
        for image in (release, deployed, other):
            host.tag(sandbox.base_image, image)
        with closing(Journal(home / "journal.db")) as journal:
            entry = journal.begin(
                NewRun(id="Deployments-1", kind="deployment", slot=name, host=sandbox.host, **nothing)
            )
            for image in (release, deployed):
                with entry.effect("build", "build", image):
                    pass
            entry.finish("succeeded")
        stop(tmp_path / "state")
        left = [image for image in (release, deployed, other) if host.image(image) is not None]
        host.remove_image(other)
    assert left == [other]
    assert not (tmp_path / "state").exists()
