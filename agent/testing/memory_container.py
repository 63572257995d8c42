"""A container that only behaves as one, and what it is told to do."""

from __future__ import annotations

import io
import itertools
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from agent.host import ContainerInfo, ContainerSpec, ContainerState, Health, Port

_FIRST_FREE_PORT = 49153
_ANYWHERE = ("", "0.0.0.0", "::")  # noqa: S104  compared with, not bound to


@dataclass(frozen=True, kw_only=True)
class Execution:
    """What becomes of a program that is run in a container; without `exit_code` it runs on."""

    exit_code: int | None = 0
    output: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What a container does once started: runs on, unless `exits_with` a code, after `lasts` inspections.

    `health` is what successive inspections see; the last one stays. `files` are what `copy_out` finds, besides
    what was copied in. `programs` tells what becomes of a command that is executed.
    """

    exits_with: int | None = None
    lasts: int = 0
    output: tuple[str, ...] = ()
    health: tuple[Health, ...] = ()
    health_output: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    programs: Callable[[tuple[str, ...]], Execution] = lambda _command: Execution()


@dataclass(kw_only=True)
class MemoryContainer:
    """`clock` tells the time as ISO 8601; `number` counts the host's containers."""

    id: str
    number: int
    spec: ContainerSpec
    image_id: str
    behaviour: Behaviour
    clock: Callable[[], str]
    created: str = ""
    state: ContainerState = "created"
    exit_code: int = 0
    started: str = ""
    finished: str = ""
    restarts: int = 0
    looks: int = 0
    ports: tuple[Port, ...] = ()
    copied: dict[str, bytes] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        return self.state in ("running", "restarting")

    def begin(self) -> None:
        self.started, self.finished = self.clock(), ""
        self.restarts = self.looks = self.exit_code = 0
        self.state = "running"
        free = itertools.count(_FIRST_FREE_PORT + 100 * self.number)
        self.ports = tuple(port if port.host else replace(port, host=next(free)) for port in self.spec.ports)
        if not self.behaviour.lasts:
            self._end_by_itself()

    def end(self, code: int) -> None:
        self.state, self.exit_code, self.finished = "exited", code, self.clock()

    def publishes(self, port: Port) -> bool:
        return self.state == "running" and any(
            own.host == port.host
            and own.protocol == port.protocol
            and (own.address in _ANYWHERE or port.address in _ANYWHERE or own.address == port.address)
            for own in self.ports
        )

    def look(self) -> ContainerInfo:
        """As an inspection sees it; one that keeps restarting has done so once more by the next."""
        seen = self._health()
        self.looks += self.state == "running"
        self.restarts += self.state == "restarting"
        if self.looks and self.looks == self.behaviour.lasts and self.state == "running":
            self._end_by_itself()
        if self.spec.restart == "on-failure" and 0 < self.spec.restart_retries <= self.restarts:
            self.state = "exited"
        return ContainerInfo(
            id=self.id,
            name=self.spec.name,
            image=self.spec.image,
            image_id=self.image_id,
            state=self.state,
            health=seen,
            exit_code=self.exit_code,
            labels=dict(self.spec.labels),
            ports=self.ports or self.spec.ports,
            addresses=(f"172.17.0.{self.number % 250 + 2}",) if self.state == "running" else (),
            created=self.created,
            started=self.started,
            finished=self.finished,
            restarts=self.restarts,
            health_output=self.behaviour.health_output,
            stop_timeout=self.spec.stop_timeout,
            environment=dict(self.spec.environment),
        )

    def archive(self, path: str) -> bytes | None:
        """The file or folder as a tar, named from its own last component as an engine does."""
        files = {**self.copied, **(self.behaviour.files if self.started else {})}
        inside = {name: content for name, content in files.items() if name == path or name.startswith(f"{path}/")}
        return _tar(path, inside) if inside else None

    def unpack(self, path: str, archive: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar:
                if (file := tar.extractfile(member)) is not None:
                    self.copied[f"{path.rstrip('/')}/{member.name}"] = file.read()

    def _end_by_itself(self) -> None:
        code = self.behaviour.exits_with
        if code is not None:
            self.end(code)
            policy = self.spec.restart
            again = policy in ("always", "unless-stopped") or (policy == "on-failure" and code != 0)
            self.state = "restarting" if again else "exited"

    def _health(self) -> Health:
        script = self.behaviour.health
        if not script and self.spec.health is not None and self.state == "running":
            return "healthy"
        if not script or self.state == "created":
            return "none"
        return script[min(self.looks, len(script) - 1)]


def _tar(path: str, files: Mapping[str, bytes]) -> bytes:
    above = path.rstrip("/").rpartition("/")[0]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name.removeprefix(above).lstrip("/"))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
