"""The main job on a machine behind SSH, by either way to its engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

import pytest

from agent.host import ContainerHost
from linux.sandbox import Sandbox
from linux.sandbox.engine_call import EngineSocket
from tests.ssh.server import SSHServer, recording, serving
from tests.system.far import FAR_HELD, FAR_STEP
from tests.system.python_image import make_python_image
from tests.system.secrecy import nothing_shown
from tests.system.shop import Site, free_port


@pytest.fixture
def server(sandbox: Sandbox, tmp_path: Path) -> Iterator[SSHServer]:
    folder = tmp_path / "sshd"
    folder.mkdir()
    with serving(folder, sandbox.host.removeprefix("unix://"), recording(folder)) as server:
        yield server


@pytest.fixture(params=["api", "cli"])
def far_site(
    request: pytest.FixtureRequest,
    sandbox: Sandbox,
    server: SSHServer,
    engine_host: ContainerHost,
    unique_name: Callable[[str], str],
    tmp_path: Path,
) -> Iterator[Site]:
    far = replace(sandbox, host=server.url(engine=request.param))
    folder = tmp_path / "site"
    folder.mkdir()
    site = Site(unique_name("shop"), folder, free_port(), far, engine_host, step=FAR_STEP, secret=token_hex(12))
    yield site
    for container in site.containers():
        engine_host.remove(container.id)


@pytest.fixture(autouse=True)
def _secrecy(far_site: Site, server: SSHServer) -> Iterator[None]:
    """No secret is an argument, in a log or in a file, here or there, and no login stays."""
    with nothing_shown((far_site.secret,), lambda: (far_site.home, server.folder)) as texts:
        yield
        texts += [server.commands, server.log]
        assert "docker" in server.commands
    assert list(server.home.iterdir()) == []


def test_a_deployment_over_ssh_serves_and_rollback_gives_the_last_one_back(far_site: Site) -> None:
    done = far_site.run(1, **{"Shop:Title": "Far away"})
    assert done.code == 0, done.stderr
    assert done.outputs["Digest"].startswith("sha256:")
    assert far_site.page() == "<h1>Test Deployments-1</h1>\n"
    assert far_site.run(2).code == 0
    assert far_site.serving() == [f"{far_site.name}-deployments-2"]
    back = far_site.rollback()
    assert back.code == 0, back.stderr
    assert far_site.page() == "<h1>Test Deployments-1</h1>\n"


def test_failed_start_over_ssh_puts_the_old_container_back(far_site: Site) -> None:
    far_site.run(1)
    failed = far_site.run(2, HealthPath="/nowhere")
    assert failed.code == 9, failed.stderr
    assert far_site.page() == "<h1>Test Deployments-1</h1>\n"
    assert far_site.serving() == [f"{far_site.name}-deployments-1"]


def test_site_behind_the_relay_is_replaced_over_ssh_and_put_back(
    far_site: Site, sandbox: Sandbox, unique_name: Callable[[str], str]
) -> None:
    far_site.settings["Relay.Image"] = f"{unique_name('python')}:1"
    make_python_image(far_site.settings["Relay.Image"], EngineSocket(sandbox.host.removeprefix("unix://")))
    far_site.step = FAR_HELD
    first = far_site.run(1)
    assert first.code == 0, first.stderr
    second = far_site.run(2)
    assert second.code == 0, second.stderr
    assert far_site.page() == "<h1>Test Deployments-2</h1>\n"
    failed = far_site.run(3, HealthPath="/nowhere")
    assert failed.code == 9, failed.stderr
    assert far_site.page() == "<h1>Test Deployments-2</h1>\n"
