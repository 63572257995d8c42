"""A slot on a real engine, deployed to without a bundle, in any way there is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agent.containers import (
    DEPLOYMENT,
    ROLE,
    SLOT,
    Cutover,
    HealthSettings,
    Hold,
    Replaced,
    Replacement,
    RunSettings,
    replace,
    serving,
)
from agent.containers.cutover import OnFailure
from agent.host import ContainerHost, ContainerInfo
from agent.journal import Effects, Journal, NewRun, RunEntry
from agent.slot.recovery import recover
from tests.system.prober import ask
from tests.system.shop import free_port


@dataclass
class Way:
    """How to deploy, and the port where the site is then to be seen."""

    cutover: Cutover
    ports: list[str]
    port: int


@dataclass
class Place:
    """A slot; what was said there is in `said`."""

    name: str
    image: str
    host: ContainerHost
    journal: Journal
    said: list[str] = field(default_factory=list)

    def held(self, **settings: float) -> Way:
        port = free_port()
        return Way(Hold(image=self.image, **settings), [f"127.0.0.1:{port}:80"], port)

    def replacement(
        self, number: int, way: Way, replicas: int = 1, on_failure: OnFailure = "rollback", **environment: str
    ) -> Replacement:
        settings = RunSettings(
            name=self.name,
            ports=way.ports,
            environment={"VERSION": str(number), **environment},
            stop_timeout=2,
            restart="no",
            health=HealthSettings(http="/", timeout=15 if "SICK" in environment else 60, interval=0.02),
            cutover=way.cutover,
            replicas=replicas,
            on_failure=on_failure,
        )
        labels = {SLOT: self.name, DEPLOYMENT: f"Deployments-{number}"}
        spec = settings.specification(self.image, f"deployments-{number}", labels)
        return Replacement(slot=self.name, spec=spec, health=settings.health, keep=3)

    def deploy(self, number: int, way: Way, **settings: object) -> Replaced:
        entry = self.begin(number)
        try:
            done = self.replace(self.replacement(number, way, **settings), entry)  # type: ignore[arg-type]
        except BaseException as error:
            entry.fail(error)
            raise
        entry.finish("succeeded", container=done.container.name)
        return done

    def replace(self, replacement: Replacement, effects: Effects) -> Replaced:
        return replace(replacement, self.host, effects, nullcontext, self.said.append)

    def begin(self, number: int) -> RunEntry:
        values = dict.fromkeys(("release", "project", "environment", "tenant", "step", "host"), "")
        run = NewRun(id=f"Deployments-{number}", kind="deployment", slot=self.name, **values)
        return self.journal.begin(run)

    def serving(self) -> list[str]:
        return [one.name.removeprefix(f"{self.name}-deployments-") for one in serving(self.host, self.name)]

    def containers(self) -> list[ContainerInfo]:
        return self.host.find({SLOT: self.name})

    def relays(self) -> list[ContainerInfo]:
        return self.host.find({SLOT: self.name, ROLE: ""})


class Killed(BaseException):
    """Stands for SIGKILL: nothing is done or noted after it."""


class MortalEffects:
    """Dies at the n-th of the moments before and after each intent, and after each effect, before it is noted."""

    def __init__(self, entry: RunEntry, moments: int) -> None:
        self._entry = entry
        self._left = moments

    @property
    def died(self) -> bool:
        return self._left < 0

    def effect(self, stage: str, kind: str, name: str) -> AbstractContextManager[None]:
        return self._effect(stage, kind, name)

    @contextmanager
    def _effect(self, stage: str, kind: str, name: str) -> Iterator[None]:
        self._live()
        sequence = self._entry._intend(stage, kind, name)
        self._live()
        yield
        self._live()
        self._entry._close_effect(sequence, "done", datetime.now(UTC).isoformat())

    def _live(self) -> None:
        self._left -= 1
        if self.died:
            raise Killed


def one_serves_after_death(moment: int, place: Place, way: Way) -> bool:
    """Replace, die, recover, look, and replace again. False once the replacement ends before that moment."""
    place.deploy(1, way)
    effects = MortalEffects(place.begin(2), moment)
    try:
        place.replace(place.replacement(2, way), effects)
    except Killed:
        recover(place.name, place.journal, lambda: place.host, place.said.append)
    (serves,) = place.serving()
    assert page(way.port) == serves
    assert [one.state for one in place.relays()] == (["running"] if place.relays() else [])
    if effects.died:
        record = place.journal.runs()[0]
        assert (record.state, serves) in {("succeeded", "2"), ("interrupted", "1")}
        others = [one for one in place.containers() if not one.running]
        assert len(others) == (serves == "2")
    place.deploy(3, way)
    assert ask(way.port).body == "3"
    return effects.died


def page(port: int) -> str:
    """What is answered, once it is; an application that was only started again may still boot."""
    deadline = time.monotonic() + 10
    while (answer := ask(port)).problem and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer.body
