"""The containers that dockwright runs, found by their labels, and the ones that a user means by a name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from agent.containers import ROLE, SLOT
from agent.errors import InputError
from agent.host import ContainerHost, ContainerInfo

ACTIVE = frozenset({"running", "restarting", "paused"})
_SHORTEST_ID = 8


@dataclass(frozen=True, kw_only=True)
class Meant:
    """What a slot's or a container's name stands for: the containers, the latest first, all of one slot."""

    slot: str
    containers: tuple[ContainerInfo, ...]

    @property
    def active(self) -> tuple[ContainerInfo, ...]:
        """Those of the application that run; a relay before them is none."""
        return tuple(found for found in self.containers if found.state in ACTIVE and ROLE not in found.labels)


def owned(host: ContainerHost) -> list[ContainerInfo]:
    """Every container of ours, the latest first."""
    return sorted(host.find({SLOT: ""}), key=latest, reverse=True)


def meant(name: str, host: ContainerHost) -> Meant:
    """The slot of that name, or the container of that name or id. InputError if it is neither, or not ours."""
    ours = owned(host)
    wanted = name.strip().lower()
    if of_slot := [found for found in ours if slot_of(found) == wanted]:
        return Meant(slot=wanted, containers=tuple(of_slot))
    for found in ours:
        if found.name.lower() == wanted or (len(wanted) >= _SHORTEST_ID and found.id.startswith(wanted)):
            return Meant(slot=slot_of(found), containers=(found,))
    if re.fullmatch(r"[\w.-]+", wanted) and (stranger := host.inspect(name.strip())) is not None:
        raise InputError(
            f"the container {stranger.name} is not dockwright's, which leaves it alone; use docker itself"
        )
    raise InputError(f"no slot and no container of dockwright's is called '{name[:200]}'{_suggestion(wanted, ours)}")


def latest(container: ContainerInfo) -> tuple[bool, bool, str]:
    """Sorts the application to the end, and there what runs, and then what ran last."""
    of_application = ROLE not in container.labels
    return (
        of_application,
        container.state in ACTIVE,
        container.started if container.state in ACTIVE else ended(container),
    )


def ended(container: ContainerInfo) -> str:
    return container.finished or container.created


def slot_of(container: ContainerInfo) -> str:
    return container.labels[SLOT].lower()


def _suggestion(wanted: str, ours: Iterable[ContainerInfo]) -> str:
    """The closest name, else the slots; nothing of ours may be there at all."""
    containers = list(ours)
    known = list(dict.fromkeys([*map(slot_of, containers), *(found.name for found in containers)]))
    if close := difflib.get_close_matches(wanted, known, n=1):
        return f"; did you mean '{close[0]}'?"
    slots = list(dict.fromkeys(map(slot_of, containers)))[:5]
    return f"; slots are {', '.join(slots)}" if slots else "; nothing of dockwright's is on this host"
