"""The main job on a machine behind WinRM, by either way to its engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

import pytest

from agent.host import ContainerHost
from linux.sandbox import Sandbox
from linux.sandbox.engine_call import EngineSocket
from tests.system.far import FAR_HELD, FAR_STEP
from tests.system.python_image import make_python_image
from tests.system.secrecy import nothing_shown
from tests.system.shop import Site, free_port
from tests.system.winrm_faults import left
from tests.winrm.server import WinRMServer, prepared, serving
from tests.winrm.settings import Mishap, Settings


@pytest.fixture
def server(
    sandbox: Sandbox, tool: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WinRMServer]:
    settings = Settings(
        root=prepared(tmp_path / "machine"),
        password=token_hex(8),
        programs={"docker": tool("docker")},
        environment={"DOCKER_HOST": sandbox.host},
    )
    monkeypatch.setenv("DOCKWRIGHT_HOST_PASSWORD", settings.password)
    with serving(settings) as server:
        yield server


@pytest.fixture(params=["api", "cli"])
def far_site(
    request: pytest.FixtureRequest,
    sandbox: Sandbox,
    server: WinRMServer,
    engine_host: ContainerHost,
    unique_name: Callable[[str], str],
    tmp_path: Path,
) -> Iterator[Site]:
    far = replace(sandbox, host=f"{server.url}&engine={request.param}")
    folder = tmp_path / "site"
    folder.mkdir()
    site = Site(unique_name("shop"), folder, free_port(), far, engine_host, step=FAR_STEP, secret=token_hex(12))
    yield site
    for container in site.containers():
        engine_host.remove(container.id)


@pytest.fixture(autouse=True)
def _secrecy(far_site: Site, server: WinRMServer) -> Iterator[None]:
    """No secret is an argument, in a log or in a file, here or there; and nothing stays on the machine."""
    secrets = (far_site.secret, server.settings.password)
    with nothing_shown(secrets, lambda: (far_site.home, server.settings.root)) as texts:
        yield
        texts.extend(server.machine.lines)
        assert any("docker" in line for line in server.machine.lines)
    assert left(server) == []


def test_a_deployment_over_winrm_serves_and_rollback_gives_the_last_one_back(far_site: Site) -> None:
    done = far_site.run(1, **{"Shop:Title": "Far away"})
    assert done.code == 0, done.stderr
    assert done.outputs["Digest"].startswith("sha256:")
    assert far_site.page() == "<h1>Test Deployments-1</h1>\n"
    assert far_site.run(2).code == 0
    assert far_site.serving() == [f"{far_site.name}-deployments-2"]
    back = far_site.rollback()
    assert back.code == 0, back.stderr
    assert far_site.page() == "<h1>Test Deployments-1</h1>\n"


def test_failed_start_over_winrm_puts_the_old_container_back(far_site: Site) -> None:
    far_site.run(1)
    failed = far_site.run(2, HealthPath="/nowhere")
    assert failed.code == 9, failed.stderr
    assert far_site.page() == "<h1>Test Deployments-1</h1>\n"
    assert far_site.serving() == [f"{far_site.name}-deployments-1"]


def test_site_behind_the_relay_is_replaced_over_winrm_and_put_back(
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


def test_a_restart_of_the_machines_winrm_in_the_middle_leaves_something_that_serves(
    far_site: Site, server: WinRMServer
) -> None:
    far_site.run(1)
    server.order(Mishap(kind="reboot", action="Send", nth=1, seconds=0.5))
    done = far_site.run(2)
    assert far_site.page() == f"<h1>Test Deployments-{2 if done.code == 0 else 1}</h1>\n"
    assert left(server) == []
    assert far_site.run(3).code == 0
    assert far_site.page() == "<h1>Test Deployments-3</h1>\n"
