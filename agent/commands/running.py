"""`dockwright ps` and `logs`: what runs, asked of the engine, and what it prints."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

import msgspec

from agent.commands.owned import ACTIVE, ended, meant, owned, slot_of
from agent.containers import DEPLOYMENT
from agent.host import ContainerHost, ContainerInfo, HostAddress, LineSink
from agent.plugins import connect
from agent.report.wording import duration

_SHOWN_DIGEST = 19


class Running(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """One container of ours. `digest` is the image's in its registry, or its id; `since` is when it got so."""

    slot: str
    container: str
    deployment: str
    image: str
    digest: str
    state: str
    health: str
    since: str
    restarts: int
    ports: tuple[str, ...]
    exit_code: int


def running(address: HostAddress, *, everything: bool) -> list[Running]:
    """What serves, slot by slot, or what ended last where nothing does; `everything` adds the kept ones."""
    with closing(connect(address)) as host:
        shown: list[Running] = []
        slots: set[str] = set()
        for found in owned(host):
            if everything or found.state in ACTIVE or slot_of(found) not in slots:
                shown.append(_running(found, host))
            slots.add(slot_of(found))
        return sorted(shown, key=lambda one: one.slot)


def running_lines(containers: Sequence[Running]) -> list[str]:
    """One line a container, in columns."""
    if not containers:
        return ["nothing of dockwright's is on this host"]
    head = ("slot", "container", "image", "digest", "state", "health", "since", "ports")
    rows = [head, *(_row(one) for one in containers)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def logs(address: HostAddress, name: str, tail: int, output: LineSink, *, follow: bool) -> None:
    """Hand the last `tail` lines of what serves (or ended last) to `output`; with `follow`, all that come."""
    with closing(connect(address)) as host:
        container = meant(name, host).containers[0]
        if follow:
            host.follow(container.id, output, tail)
            return
        for line in host.logs(container.id, tail):
            output(line)


def _running(found: ContainerInfo, host: ContainerHost) -> Running:
    active = found.state in ACTIVE
    return Running(
        slot=slot_of(found),
        container=found.name,
        deployment=found.labels.get(DEPLOYMENT, ""),
        image=found.image,
        digest=_digest(found, host),
        state=found.state,
        health=found.health,
        since=found.started if active else ended(found),
        restarts=found.restarts,
        ports=tuple(map(str, found.ports)),
        exit_code=0 if active else found.exit_code,
    )


def _digest(found: ContainerInfo, host: ContainerHost) -> str:
    image = host.image(found.image_id)
    repository = found.image.partition("@")[0].rpartition(":")[0] or found.image
    digests = sorted(image.digests if image else (), key=lambda digest: not digest.startswith(f"{repository}@"))
    return digests[0].rpartition("@")[2] if digests else found.image_id


def _row(one: Running) -> tuple[str, ...]:
    state = one.state if one.state in ACTIVE else f"{one.state} ({one.exit_code})"
    restarted = f", {one.restarts} restarts" if one.restarts else ""
    health = "" if one.health == "none" else one.health
    digest = one.digest[:_SHOWN_DIGEST]
    return (
        one.slot,
        one.container,
        one.image,
        digest,
        state + restarted,
        health,
        _ago(one.since),
        ", ".join(one.ports),
    )


def _ago(moment: str) -> str:
    try:
        then = datetime.fromisoformat(f"{moment[:19]}+00:00")
    except ValueError:
        return ""
    seconds = max(0.0, (datetime.now(UTC) - then).total_seconds())
    return f"{seconds / 86_400:.0f} days" if seconds >= 2 * 86_400 else duration(seconds)
