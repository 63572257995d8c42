"""What the contract of ContainerHost is tried on: a host, an image on it, and a registry it can push to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.host import ContainerHost, ContainerSpec, Port
from agent.testing import Behaviour, Execution

RUNS = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done")
FAILS = ("sh", "-c", "echo out; echo last words >&2; exit 3")
TALKS = ("sh", "-c", "echo one; sleep 0.3; printf two >&2; exit 4")
GREETS = ("sh", "-c", "echo hello; echo oops >&2; exit 5")
HANGS = ("sh", "-c", "echo begun; sleep 30")
WRITES = ("sh", "-c", "mkdir /results && echo fine > /results/report.txt")


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A host under test: with `image` on it, and a `registry` that it can push to."""

    host: ContainerHost
    image: str
    registry: str
    name: Callable[[str], str]

    def spec(
        self, *command: str, hint: str = "c", ports: tuple[Port, ...] = (), restart: str = "no"
    ) -> ContainerSpec:
        return ContainerSpec(
            name=self.name(hint),
            image=self.image,
            command=command or RUNS,
            ports=ports,
            restart=restart,  # type: ignore[arg-type]
            stop_timeout=2,
        )

    def started(self, *command: str, ports: tuple[Port, ...] = ()) -> str:
        spec = self.spec(*command, ports=ports)
        self.host.create(spec)
        self.host.start(spec.name)
        return spec.name


def behave(spec: ContainerSpec) -> Behaviour:
    if spec.command == FAILS:
        return Behaviour(exits_with=3, output=("out", "last words"))
    if spec.command == WRITES:
        return Behaviour(exits_with=0, files={"/results/report.txt": b"fine\n"})
    if spec.command == TALKS:
        return Behaviour(exits_with=4, output=("one", "two"))
    return Behaviour(programs=_execute)


def _execute(command: tuple[str, ...]) -> Execution:
    if command == GREETS:
        return Execution(exit_code=5, output=("hello", "oops"))
    return Execution(exit_code=None, output=("begun",)) if command == HANGS else Execution(exit_code=127)


def no_lines(_line: str) -> None:
    """For a build whose output does not matter."""


def no_progress(_done: int, _total: int) -> None:
    """For a pull or a push."""
