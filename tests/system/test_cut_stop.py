"""A run that is killed while the old container takes its time to end."""

from __future__ import annotations

import os
import signal
import subprocess
from time import monotonic, sleep

from tests.system.shop import DOCKWRIGHT, Site, environment


def test_the_old_container_serves_on_though_the_engine_was_about_to_kill_it(site: Site) -> None:
    site.step = site.step.replace("stop-timeout: 1", "stop-timeout: 2")  # httpd does not listen to SIGTERM
    assert site.run(1).code == 0
    site.write()
    command = [str(DOCKWRIGHT), *site.arguments("run", 2)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(), start_new_session=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if b"stopping" in line:
            break
    sleep(0.3)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    deadline = monotonic() + 20
    sleep(2.5)
    while site.serving() != [f"{site.name}-deployments-1"]:
        assert monotonic() < deadline, site.serving()
        sleep(0.2)
    assert "Deployments-1" in site.page()
