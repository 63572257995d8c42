"""The main job on a machine behind SSH, by either way to its engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.host import ContainerHost
from linux.sandbox import Sandbox
from linux.sandbox.engine_call import EngineSocket
from tests.ssh.server import SSHServer
from tests.system.python_image import make_python_image
from tests.system.shop import SECRET, STEP, Site, free_port


@pytest.fixture(params=["api", "cli"])
def far_site(
    request: pytest.FixtureRequest,
    sandbox: Sandbox,
    ssh_server: SSHServer,
    engine_host: ContainerHost,
    unique_name: Callable[[str], str],
    tmp_path: Path,
) -> Iterator[Site]:
    far = replace(sandbox, host=ssh_server.url(engine=request.param))
    site = Site(name=unique_name("shop"), folder=tmp_path, port=free_port(), sandbox=far, host=engine_host)
    yield site
    for container in site.containers():
        engine_host.remove(container.id)


def test_a_deployment_over_ssh_serves_and_rollback_gives_the_last_one_back(
    far_site: Site, ssh_server: SSHServer
) -> None:
    done = far_site.run(1, **{"Shop:Title": "Far away"})
    assert done.code == 0, done.stderr
    assert done.outputs["Digest"].startswith("sha256:")
    assert far_site.page() == "<h1>Test Deployments-1</h1>\n"
    assert far_site.run(2).code == 0
    assert far_site.serving() == [f"{far_site.name}-deployments-2"]
    back = far_site.rollback()
    assert back.code == 0, back.stderr
    assert far_site.page() == "<h1>Test Deployments-1</h1>\n"
    assert SECRET not in ssh_server.log


def test_failed_start_over_ssh_puts_the_old_container_back(far_site: Site) -> None:
    far_site.run(1)
    failed = far_site.run(2, HealthPath="/nowhere")
    assert failed.code == 9, failed.stderr
    assert far_site.page() == "<h1>Test Deployments-1</h1>\n"
    assert far_site.serving() == [f"{far_site.name}-deployments-1"]


def test_site_behind_the_relay_is_replaced_over_ssh(
    far_site: Site, sandbox: Sandbox, unique_name: Callable[[str], str]
) -> None:
    relay = f"{unique_name('python')}:1"
    make_python_image(relay, EngineSocket(sandbox.host.removeprefix("unix://")))
    far_site.step = STEP.replace(
        "    stop-timeout", f"    cutover: {{strategy: hold, image: '{relay}'}}\n    stop-timeout"
    )
    first = far_site.run(1)
    assert first.code == 0, first.stderr
    second = far_site.run(2)
    assert second.code == 0, second.stderr
    assert far_site.page() == "<h1>Test Deployments-2</h1>\n"
