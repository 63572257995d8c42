"""A shell on the machine of a container engine: what the docker command line needs of SSH or WinRM.

`linux/` and `windows/` implement it; `agent/engine/command_line/` is a ContainerHost over any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from socket import socket
from typing import Protocol

from agent.host import OperatingSystem

ByteSink = Callable[[bytes], None]
"""Takes a piece of a stream, as it arrives."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One program to run. `arguments` hold no secrets: everybody on the machine can read them.

    `environment` is added to that of the login; it is for plain settings (`DOCKER_CONFIG`, `DOCKER_BUILDKIT`).
    `standard_input` is streamed while the program runs. `timeout` in seconds is for the whole of it, 0 without
    end; `silence` is how long it may print nothing.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    standard_input: Iterable[bytes] | None = field(default=None, repr=False)
    timeout: float = 0
    silence: float = 0

    @property
    def title(self) -> str:
        """The program, and the first word of what it is to do, for messages: `docker login`."""
        word = next((argument for argument in self.arguments[1:] if not argument.startswith("-")), "")
        return f"{self.arguments[0]} {word}" if word.isalnum() else self.arguments[0]


class Shell(Protocol):
    """Runs programs on one machine. Failures of the way there are `HostError`; a timeout ends the program."""

    @property
    def url(self) -> str:
        """As `--host` takes it, without any password."""
        ...

    @property
    def address(self) -> str:
        """The name or IP of the machine, seen from the agent."""
        ...

    @property
    def operating_system(self) -> OperatingSystem: ...

    def run(self, command: Command, output: ByteSink, error: ByteSink) -> int:
        """Run to the end and return the exit code; 127 where there is no such program, as shells do."""
        ...

    def open(self, command: Command) -> socket:
        """Start it and return one end of a socket pair that is its standard input and output."""
        ...

    def close(self) -> None: ...
