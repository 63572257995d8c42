"""Stop the old container, start the new one, and never end with neither.

`recreate`: everything that can fail beforehand happens beforehand (the image is there, the new container is
created); only then is the old one stopped, the new one started and judged. On any failure the new one goes and
the old one serves again, the very same container with its settings. The old one stays, stopped, for rollbacks.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from agent.containers.health import HealthSettings, await_healthy
from agent.containers.labels import SLOT, SPECIFICATION
from agent.errors import ContainerError, DockwrightError, HalfDoneError
from agent.host import ContainerHost, ContainerInfo, ContainerSpec
from agent.journal import Effects

Log = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """One replacement to make. `kept` is a stopped container to start again instead of creating `spec`."""

    slot: str
    spec: ContainerSpec
    health: HealthSettings
    keep: int
    kept: ContainerInfo | None = None


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """The container that now serves; `boot_seconds` from its start to its first good answer."""

    container: ContainerInfo
    boot_seconds: float
    unchanged: bool = False


def replace(
    replacement: Replacement,
    host: ContainerHost,
    journal: Effects,
    guard: Callable[[], AbstractContextManager[None]],
    log: Log,
) -> Replaced:
    """Put the new container in the place of what serves in its slot.

    The guard is held while neither may be serving, so that somebody puts the old one back if this process dies.
    """
    old = serving(host, replacement.slot)
    if (same := _already(old, replacement)) is not None:
        log(f"{same.name} runs already, with this image and these settings")
        return Replaced(container=same, boot_seconds=0, unchanged=True)
    _remove_leftovers(replacement, host, journal)
    new = _prepare(replacement, host, journal)
    with guard():
        try:
            boot_seconds = _swap(new, old, replacement, host, journal, log)
        except BaseException as failure:
            try:
                _undo(new, old, replacement, host, journal, log)
            except DockwrightError as undoing:
                raise HalfDoneError(failure, undoing) from failure
            raise
    _retire(replacement, new, host, journal)
    return Replaced(container=host.inspect(new.id) or new, boot_seconds=boot_seconds)


def serving(host: ContainerHost, slot: str) -> list[ContainerInfo]:
    """The containers of the slot that run now."""
    return [found for found in host.find({SLOT: slot}) if found.state in {"running", "restarting", "paused"}]


def restore(container: ContainerInfo, host: ContainerHost, journal: Effects) -> None:
    """Start a stopped predecessor again."""
    with journal.effect("run", "start", container.name):
        host.start(container.id)


def _already(old: list[ContainerInfo], replacement: Replacement) -> ContainerInfo | None:
    wanted = replacement.spec.labels.get(SPECIFICATION)
    if replacement.kept is not None:
        return next((found for found in old if found.id == replacement.kept.id), None)
    return next((found for found in old if found.running and found.labels.get(SPECIFICATION) == wanted), None)


def _remove_leftovers(replacement: Replacement, host: ContainerHost, journal: Effects) -> None:
    """Containers of the slot that were created and never started: whoever made them has died."""
    for found in host.find({SLOT: replacement.slot}):
        if found.state == "created":
            with journal.effect("run", "remove", found.name):
                host.remove(found.id)


def _prepare(replacement: Replacement, host: ContainerHost, journal: Effects) -> ContainerInfo:
    if replacement.kept is not None:
        return replacement.kept
    spec = replacement.spec
    present = host.inspect(spec.name)
    if present is not None:
        spec = _free_name(spec, present, host, journal)
    with journal.effect("run", "create", spec.name):
        return host.create(spec)


def _free_name(spec: ContainerSpec, present: ContainerInfo, host: ContainerHost, journal: Effects) -> ContainerSpec:
    """The name is taken: by a leftover of ours, which goes; by one of ours that runs; or by a stranger."""
    if present.labels.get(SLOT) != spec.labels.get(SLOT):
        raise ContainerError(
            f"the name {spec.name} belongs to a container that is not of this slot; remove or rename it, "
            "or choose another run.name"
        )
    if present.running:
        distinct = spec.labels.get(SPECIFICATION, "")[:8]
        return ContainerSpec(**{**vars(spec), "name": f"{spec.name}-{distinct}"})
    with journal.effect("run", "remove", present.name):
        host.remove(present.id)
    return spec


def _swap(
    new: ContainerInfo,
    old: list[ContainerInfo],
    replacement: Replacement,
    host: ContainerHost,
    journal: Effects,
    log: Log,
) -> float:
    for container in old:
        log(f"stopping {container.name}")
        with journal.effect("run", "stop", container.name):
            host.stop(container.id, replacement.spec.stop_timeout)
    log(f"starting {new.name}")
    with journal.effect("run", "start", new.name):
        _start(new, replacement.spec, host)
    with journal.effect("run", "health", new.name):
        return await_healthy(host, new.id, replacement.health)


def _start(new: ContainerInfo, spec: ContainerSpec, host: ContainerHost) -> None:
    try:
        host.start(new.id)
    except ContainerError as error:
        for port in spec.ports:
            holder = host.publishing(port)
            if holder is not None and holder.id != new.id:
                raise ContainerError(
                    f"port {port.host} is taken by the container {holder.name}; stop it, or publish another port"
                ) from error
        raise


def _undo(
    new: ContainerInfo,
    old: list[ContainerInfo],
    replacement: Replacement,
    host: ContainerHost,
    journal: Effects,
    log: Log,
) -> None:
    """Put everything back as it was."""
    if replacement.kept is None:
        with journal.effect("run", "remove", new.name):
            host.remove(new.id)
    else:
        with journal.effect("run", "stop", new.name):
            host.stop(new.id, replacement.spec.stop_timeout)
    for container in old:
        restore(container, host, journal)
        log(f"{container.name} serves again")


def _retire(replacement: Replacement, new: ContainerInfo, host: ContainerHost, journal: Effects) -> None:
    stopped = [found for found in host.find({SLOT: replacement.slot}) if not found.running and found.id != new.id]
    stopped.sort(key=lambda found: found.finished or found.created, reverse=True)
    for surplus in stopped[max(0, replacement.keep) :]:
        with journal.effect("run", "remove", surplus.name):
            host.remove(surplus.id)
