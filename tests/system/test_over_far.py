"""The main job on a machine behind SSH and behind WinRM, by either way to its engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex

import pytest

from agent.host import ContainerHost
from linux.sandbox import Sandbox
from linux.sandbox.engine_call import EngineSocket
from tests.ssh.server import recording
from tests.ssh.server import serving as serving_ssh
from tests.system.far import FAR_HELD, FAR_STEP
from tests.system.python_image import make_python_image
from tests.system.secrecy import nothing_shown
from tests.system.shop import Site, free_port
from tests.system.winrm_faults import left
from tests.winrm.server import WinRMServer, prepared
from tests.winrm.server import serving as serving_winrm
from tests.winrm.settings import Mishap, Settings


@dataclass(frozen=True, kw_only=True)
class Far:
    """A machine: `told` is what it was told to run, `left` what of that is still there, `places` its files."""

    url: Callable[[str], str]
    told: Callable[[], list[str]]
    left: Callable[[], list[str]]
    place: Path
    password: str = ""
    winrm: WinRMServer | None = None


@contextmanager
def behind_ssh(sandbox: Sandbox, _docker: str, folder: Path) -> Iterator[Far]:
    with serving_ssh(folder, sandbox.host.removeprefix("unix://"), recording(folder)) as server:
        yield Far(
            url=lambda engine: server.url(engine=engine),
            told=lambda: [*server.commands.splitlines(), server.log],
            left=lambda: [path.name for path in server.home.iterdir()],
            place=server.folder,
        )


@contextmanager
def behind_winrm(sandbox: Sandbox, docker: str, folder: Path) -> Iterator[Far]:
    settings = Settings(
        root=prepared(folder),
        password=token_hex(8),
        programs={"docker": docker},
        environment={"DOCKER_HOST": sandbox.host},
    )
    with serving_winrm(settings) as server:
        yield Far(
            url=lambda engine: f"{server.url}&engine={engine}",
            told=lambda: server.machine.lines,
            left=lambda: left(server),
            place=settings.root,
            password=settings.password,
            winrm=server,
        )


@pytest.fixture(params=[behind_ssh, behind_winrm], ids=["ssh", "winrm"])
def far(
    request: pytest.FixtureRequest,
    sandbox: Sandbox,
    tool: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Far]:
    folder = tmp_path / "machine"
    folder.mkdir()
    with request.param(sandbox, tool("docker"), folder) as far:
        if far.password:
            monkeypatch.setenv("DOCKWRIGHT_HOST_PASSWORD", far.password)
        yield far


@pytest.fixture(params=["api", "cli"])
def far_site(
    request: pytest.FixtureRequest,
    sandbox: Sandbox,
    far: Far,
    engine_host: ContainerHost,
    unique_name: Callable[[str], str],
    tmp_path: Path,
) -> Iterator[Site]:
    there = replace(sandbox, host=far.url(request.param))
    folder = tmp_path / "site"
    folder.mkdir()
    site = Site(unique_name("shop"), folder, free_port(), there, engine_host, step=FAR_STEP, secret=token_hex(12))
    yield site
    for container in site.containers():
        engine_host.remove(container.id)


@pytest.fixture(autouse=True)
def _secrecy(far_site: Site, far: Far) -> Iterator[None]:
    """No secret is an argument, in a log or in a file, here or there; and nothing stays on the machine."""
    secrets = tuple(filter(None, (far_site.secret, far.password)))
    with nothing_shown(secrets, lambda: (far_site.home, far.place)) as texts:
        yield
        told = far.told()
        texts.extend(told)
        assert any("docker" in line for line in told)
    assert far.left() == []


def test_a_deployment_serves_and_rollback_gives_the_last_one_back(far_site: Site) -> None:
    done = far_site.run(1, **{"Shop:Title": "Far away"})
    assert done.code == 0, done.stderr
    assert done.outputs["Digest"].startswith("sha256:")
    assert far_site.page() == "<h1>Test Deployments-1</h1>\n"
    assert far_site.run(2).code == 0
    assert far_site.serving() == [f"{far_site.name}-deployments-2"]
    back = far_site.rollback()
    assert back.code == 0, back.stderr
    assert far_site.page() == "<h1>Test Deployments-1</h1>\n"


def test_failed_start_puts_the_old_container_back(far_site: Site) -> None:
    far_site.run(1)
    failed = far_site.run(2, HealthPath="/nowhere")
    assert failed.code == 9, failed.stderr
    assert far_site.page() == "<h1>Test Deployments-1</h1>\n"
    assert far_site.serving() == [f"{far_site.name}-deployments-1"]


def test_site_behind_the_relay_is_replaced_and_put_back(
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


@pytest.mark.parametrize("far", [behind_winrm], indirect=True, ids=["winrm"])
def test_a_restart_of_the_machines_winrm_in_the_middle_leaves_something_that_serves(far_site: Site, far: Far) -> None:
    assert far.winrm is not None
    far_site.run(1)
    far.winrm.order(Mishap(kind="reboot", action="Send", nth=1, seconds=0.5))
    done = far_site.run(2)
    assert far_site.page() == f"<h1>Test Deployments-{2 if done.code == 0 else 1}</h1>\n"
    assert far.left() == []
    assert far_site.run(3).code == 0
    assert far_site.page() == "<h1>Test Deployments-3</h1>\n"
