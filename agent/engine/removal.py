"""A container that an engine is removing already: it says so to the next who asks, and is waited for."""

from __future__ import annotations

from time import monotonic, sleep

from agent.errors import ContainerError
from agent.host import ContainerHost

IN_PROGRESS = "already in progress"
"""What the engine says of it."""

_SECONDS = 30.0


def await_removal(host: ContainerHost, container: str) -> None:
    """ContainerError if it is still there after half a minute."""
    deadline = monotonic() + _SECONDS
    while host.inspect(container) is not None:
        if monotonic() > deadline:
            raise ContainerError(f"{host.url}: the engine is still removing {container}; try again later")
        sleep(0.1)
