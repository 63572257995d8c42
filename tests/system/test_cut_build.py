"""A run that is killed in the middle of a build: the engine's images without a name go too."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.system.shop import DOCKWRIGHT, Site, dockwright, environment


@pytest.mark.parametrize("moment", ["RUN sleep", "Running in", "COPY app"])
def test_a_look_removes_what_a_killed_build_has_left(moment: str, site: Site) -> None:
    site.dockerfile = f"FROM {{base}}\nLABEL cut={site.name}\nCOPY app /app\nRUN sleep 600\n"
    site.write()
    command = [str(DOCKWRIGHT), *site.arguments("run", 1), "--output", "plain"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(), start_new_session=True
    )
    assert process.stdout is not None
    assert any(moment.encode() in line for line in process.stdout)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    looked = dockwright("ps", "--home", str(site.home), "--host", site.sandbox.host)
    assert looked.code == 0, looked.stderr
    assert site.host.images({"cut": site.name}) == []
    assert [path.name for path in (site.home / "work").iterdir() if path.is_dir()] == []
