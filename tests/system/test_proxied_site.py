"""The commands, for a site behind HAProxy or our relay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linux.sandbox import Sandbox
from linux.sandbox.engine_call import EngineSocket
from tests.conftest import TestRun
from tests.system.mortals import HELD, PROXIED
from tests.system.proxies import RunningProxy, haproxy
from tests.system.python_image import make_python_image
from tests.system.shop import Site, dockwright


@pytest.fixture
def behind_haproxy(tmp_path: Path, tool: Callable[[str], str]) -> Iterator[RunningProxy]:
    folder = tmp_path / "proxy"
    folder.mkdir()
    with haproxy(folder, tool) as running:
        yield running


@pytest.fixture
def relay_image(sandbox: Sandbox, test_run: TestRun) -> str:
    name = f"{test_run.name('python')}:1"
    make_python_image(name, EngineSocket(sandbox.host.removeprefix("unix://")))
    return name


def test_replicas_are_deployed_scaled_and_rolled_back(site: Site, behind_haproxy: RunningProxy) -> None:
    site.step = PROXIED
    site.port = behind_haproxy.port
    site.settings["Socket"] = behind_haproxy.settings.haproxy
    assert site.run(1).code == 0
    assert len(site.serving()) == 2
    place = ("--home", str(site.home), "--host", site.sandbox.host, "--output", "json")
    scaled = dockwright("scale", site.slot, "3", *place)
    assert scaled.code == 0, scaled.error
    assert sorted(site.serving()) == [f"{site.name}-deployments-1{end}" for end in ("", "-2", "-3")]
    assert site.run(2).code == 0
    assert sorted(site.serving()) == [f"{site.name}-deployments-2{end}" for end in ("", "-2")]
    assert "Deployments-2" in site.page()
    back = site.rollback()
    assert back.code == 0, back.error
    assert sorted(site.serving()) == [f"{site.name}-deployments-1{end}" for end in ("", "-2")]
    assert "Deployments-1" in site.page()
    refused = dockwright("scale", site.slot, "9", *place)
    assert (refused.code, "too few for 9 replicas" in refused.error) == (3, True)
    behind_haproxy.stop()
    gone = site.run(3)
    assert (gone.code, "see that HAProxy runs" in gone.error) == (10, True)
    assert len(site.serving()) == 2


def test_a_site_behind_the_relay_is_replaced_and_rolled_back(site: Site, relay_image: str) -> None:
    site.step = HELD
    site.settings["Relay.Image"] = relay_image
    assert site.run(1).code == 0
    assert site.run(2).code == 0
    assert "Deployments-2" in site.page()
    assert site.run(3, HealthPath="/nothing").code == 9
    assert "Deployments-2" in site.page()
    back = site.rollback()
    assert back.code == 0, back.error
    assert "Deployments-1" in site.page()
    refused = dockwright(
        "scale", site.slot, "2", "--home", str(site.home), "--host", site.sandbox.host, "--output", "json"
    )
    assert "several need a proxy" in refused.error
