"""Where a replacement takes place, and the few things that are done to containers there, each in the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from agent.containers.cutover.settings import OnFailure
from agent.containers.cutover.shape import shape_of
from agent.containers.health import Ask, HealthSettings, await_healthy
from agent.containers.labels import RELAY, ROLE, RUN, SLOT
from agent.errors import ContainerError, DockwrightError, HostError
from agent.host import ContainerHost, ContainerInfo, Port
from agent.journal import Effects

Log = Callable[[str], None]


class UnhealthyError(ContainerError):
    """The new container runs, or ran, and is not good."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One slot on one host. Without a `health` the container's label says."""

    slot: str
    host: ContainerHost
    journal: Effects
    log: Log
    health: HealthSettings | None = None
    on_failure: OnFailure = "rollback"
    wanted_ports: tuple[Port, ...] = ()
    ask: Ask | None = None
    """How to ask for health where the agent itself cannot reach the container."""
    ending: set[str] = field(default_factory=set)
    """Names of those that were told to end and have not been seen to. An engine that has begun to stop one goes
    on with it though whoever asked has died, and kills it when its time is over."""


def serving(host: ContainerHost, slot: str) -> list[ContainerInfo]:
    """The containers of the application in the slot that run now, by name."""
    return serving_of(application(host, slot))


def serving_of(containers: Sequence[ContainerInfo]) -> list[ContainerInfo]:
    """Those of a slot's containers that run, by name."""
    found = [one for one in containers if one.state in {"running", "restarting", "paused"}]
    return sorted(found, key=lambda one: one.name)


def application(host: ContainerHost, slot: str) -> list[ContainerInfo]:
    """All containers of the slot, running or not, but for the relay."""
    return [found for found in host.find({SLOT: slot}) if found.labels.get(ROLE) != RELAY]


def start(new: ContainerInfo, scene: Scene) -> None:
    """Start a new container; a port that is taken is named with its holder."""
    scene.log(f"starting {new.name}")
    with scene.journal.effect("run", "start", new.name):
        start_publishing(new, scene.wanted_ports, scene.host)


def start_publishing(container: ContainerInfo, ports: tuple[Port, ...], host: ContainerHost) -> None:
    """Start one that publishes these ports; if one is taken, ContainerError names its holder."""
    try:
        with _by_its_name(container):
            host.start(container.id)
    except ContainerError:
        require_free(ports, host, lambda holder: holder.id == container.id)
        raise


def require_free(ports: Sequence[Port], host: ContainerHost, ours: Callable[[ContainerInfo], bool]) -> None:
    """ContainerError if a running container that is not one of ours publishes one of these ports."""
    for port in ports:
        holder = host.publishing(port) if port.host else None
        if holder is not None and not ours(holder):
            raise ContainerError(
                f"port {port.host} is taken by the container {holder.name}; stop it, or publish another port"
            )


@contextmanager
def _by_its_name(container: ContainerInfo) -> Iterator[None]:
    """It is told by its id, which is nobody else's; people know it by its name."""
    try:
        yield
    except (ContainerError, HostError) as error:
        if container.id == container.name or container.id not in str(error):
            raise
        raise type(error)(str(error).replace(container.id, container.name), output=error.output) from error


def judge(new: ContainerInfo, scene: Scene) -> float:
    """Seconds until it was healthy; UnhealthyError, or a warning where the settings ask for no more."""
    try:
        with scene.journal.effect("run", "health", new.name), _by_its_name(new):
            return await_healthy(scene.host, new.id, _health(new, scene), scene.ask)
    except ContainerError as failure:
        seen = scene.host.inspect(new.id)
        if scene.on_failure == "notify" and seen is not None and seen.running:
            scene.log(f"warning: {failure}; it serves all the same, as run.on-failure is notify")
            return 0
        raise UnhealthyError(str(failure), output=failure.output) from failure


def is_good(new: ContainerInfo, scene: Scene) -> bool:
    """Whether it becomes healthy, as its labels say."""
    try:
        await_healthy(scene.host, new.id, label_health(new), scene.ask)
    except ContainerError:
        return False
    return True


def stop(container: ContainerInfo, scene: Scene) -> None:
    """Stop one that served; it stays for a rollback."""
    scene.log(f"stopping {container.name}")
    scene.ending.add(container.name)
    with scene.journal.effect("run", "stop", container.name), _by_its_name(container):
        scene.host.stop(container.id, container.stop_timeout)
    scene.ending.remove(container.name)


def discard(new: ContainerInfo, scene: Scene, *, kept: bool) -> None:
    """Be rid of a new one that failed: one that was kept from before is kept on."""
    if kept:
        with scene.journal.effect("run", "halt", new.name), _by_its_name(new):
            scene.host.stop(new.id, new.stop_timeout)
    else:
        with scene.journal.effect("run", "remove", new.name), _by_its_name(new):
            scene.host.remove(new.id)


def restore(container: ContainerInfo, host: ContainerHost, journal: Effects) -> None:
    """Start a stopped predecessor again."""
    with journal.effect("run", "restore", container.name), _by_its_name(container):
        host.start(container.id)


def put_back(old: list[ContainerInfo], scene: Scene, *, awaited: bool) -> list[ContainerInfo]:
    """Let all of them run again; `awaited` until they are good, or have had the time for it. As they are now."""
    now = []
    for container in old:
        seen = scene.host.inspect(container.id)
        if seen is None:
            continue
        if seen.running and seen.name in scene.ending:
            with scene.journal.effect("run", "end", seen.name), _by_its_name(seen):
                scene.host.stop(seen.id, seen.stop_timeout)
        if not seen.running or seen.name in scene.ending:
            restore(seen, scene.host, scene.journal)
            if awaited:
                _await_quietly(seen, scene)
            scene.log(f"{seen.name} serves again")
        now.append(scene.host.inspect(seen.id) or seen)
    return now


def _await_quietly(container: ContainerInfo, scene: Scene) -> None:
    try:
        await_healthy(scene.host, container.id, label_health(container), scene.ask)
    except DockwrightError as error:
        scene.log(f"warning: {error}")


def label_health(container: ContainerInfo) -> HealthSettings:
    """How the container's own labels say that it is judged, without the watching."""
    health = msgspec.json.decode(container.labels.get(RUN, "{}"), type=HealthSettings)
    return _with_port(msgspec.structs.replace(health, watch=0), container)


def _health(new: ContainerInfo, scene: Scene) -> HealthSettings:
    return _with_port(scene.health, new) if scene.health is not None else label_health(new)


def _with_port(health: HealthSettings, container: ContainerInfo) -> HealthSettings:
    """Where a proxy or relay owns the published port, health is asked at the container's own."""
    return health if health.port else msgspec.structs.replace(health, port=shape_of(container.labels).port)
