"""Replacements on a real engine, behind real proxies, while somebody asks 250 times a second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.containers import (
    SLOT,
    Cutover,
    HealthSettings,
    Hold,
    Proxy,
    Recreate,
    Replacement,
    RunSettings,
    replace,
    serving,
)
from agent.errors import ContainerError, HostError, InputError
from agent.host import ContainerHost, ContainerInfo
from agent.journal import Journal, NewRun
from linux.sandbox import Sandbox
from linux.sandbox.engine_call import EngineSocket
from tests.conftest import TestRun
from tests.system.prober import Answer, ask, probing
from tests.system.proxies import PLACES, RunningProxy, haproxy, nginx
from tests.system.python_image import make_python_image
from tests.system.shop import free_port


@pytest.fixture(scope="session")
def python_image(sandbox: Sandbox, test_run: TestRun) -> str:
    name = f"{test_run.name('python')}:1"
    make_python_image(name, EngineSocket(sandbox.host.removeprefix("unix://")))
    return name


@dataclass
class Place:
    """A slot, and what was said and done there."""

    name: str
    image: str
    host: ContainerHost
    journal: Journal
    said: list[str] = field(default_factory=list)

    def deploy(
        self, number: int, cutover: Cutover, ports: list[str], *, replicas: int = 1, **environment: str
    ) -> str:
        settings = RunSettings(
            name=self.name,
            ports=ports,
            environment={"VERSION": str(number), **environment},
            stop_timeout=2,
            health=HealthSettings(http="/", timeout=10, interval=0.02),
            cutover=cutover,
            replicas=replicas,
        )
        spec = settings.specification(self.image, f"deployments-{number}", {SLOT: self.name})
        replacement = Replacement(slot=self.name, spec=spec, health=settings.health, keep=3)
        values = dict.fromkeys(("release", "project", "environment", "tenant", "step", "host"), "")
        run = NewRun(id=f"Deployments-{number}", kind="deployment", slot=self.name, **values)
        entry = self.journal.begin(run)
        done = replace(replacement, self.host, entry, nullcontext, self.said.append)
        entry.finish("succeeded", container=done.container.name)
        return done.container.name

    def serving(self) -> list[str]:
        return [one.name for one in serving(self.host, self.name)]

    def containers(self) -> list[ContainerInfo]:
        return self.host.find({SLOT: self.name})


@pytest.fixture
def place(
    engine_host: ContainerHost, unique_name: Callable[[str], str], python_image: str, tmp_path: Path
) -> Iterator[Place]:
    journal = Journal(tmp_path / "journal.db")
    place = Place(unique_name("cut"), python_image, engine_host, journal)
    yield place
    journal.close()
    for container in place.containers():
        engine_host.remove(container.id)


@pytest.fixture(params=["haproxy", "haproxy in place", "nginx"])
def proxy(request: pytest.FixtureRequest, tmp_path: Path, tool: Callable[[str], str]) -> Iterator[RunningProxy]:
    folder = tmp_path / "proxy"
    folder.mkdir()
    if request.param == "nginx":
        opened = nginx(folder, tool)
    else:
        opened = haproxy(folder, tool, PLACES.format(number=1 if "place" in request.param else 4))
    with opened as running:
        yield running


@dataclass
class Way:
    """How to deploy somewhere, and the port where it is to be seen."""

    cutover: Cutover
    ports: list[str]
    port: int


def held(place: Place) -> Way:
    port = free_port()
    return Way(Hold(image=place.image), [f"127.0.0.1:{port}:80"], port)


def test_through_a_proxy_nothing_is_lost_and_a_slow_request_is_answered(place: Place, proxy: RunningProxy) -> None:
    loses_nothing(place, Way(proxy.settings, ["80"], proxy.port), longest_gap=0.5)


def test_while_requests_are_held_nothing_is_lost_and_a_slow_request_is_answered(place: Place) -> None:
    loses_nothing(place, held(place), longest_gap=9)


def loses_nothing(place: Place, way: Way, longest_gap: float) -> None:
    place.deploy(1, way.cutover, way.ports)
    slow: list[Answer] = []
    asking = threading.Thread(target=lambda: slow.append(ask(way.port, "/slow")))
    with probing(way.port) as probe:
        asking.start()
        while len(probe.answers) < 50:
            pass
        name = place.deploy(2, way.cutover, way.ports, BOOT="1")
        asking.join()
    assert probe.lost == []
    assert probe.versions == ["1", "2"]
    assert [answer.problem for answer in slow] == [""]
    assert probe.longest_gap < longest_gap
    assert place.serving() == [name]
    assert ask(way.port).body == "2"
