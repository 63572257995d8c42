"""What the agent needs of a container host, and the values that pass to and from it.

`ContainerHost` has three implementations that pass one contract test suite: the Engine API
(`agent/engine/api.py`), the docker command line over a remote shell, and an in-memory twin for tests
(`agent/testing/`). Failures are `HostError`, `BuildError`, `RegistryError` or `ContainerError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

LineSink = Callable[[str], None]
"""Takes one line of foreign output, without its newline."""

ByteProgress = Callable[[int, int], None]
"""Takes (bytes done, bytes in all); the second is 0 while unknown."""

OperatingSystem = Literal["linux", "windows"]
ContainerState = Literal["created", "running", "restarting", "paused", "removing", "exited", "dead"]
Health = Literal["none", "starting", "healthy", "unhealthy"]
Isolation = Literal["", "process", "hyperv"]
"""How Windows containers are kept apart; "" leaves it to the engine. Linux knows one way only."""


@dataclass(frozen=True, kw_only=True)
class Platform:
    """The engine's platform: `linux/amd64`, or `windows/amd64` with the host's build in `os_version`."""

    os: OperatingSystem
    architecture: str
    os_version: str = ""
    engine_version: str = ""

    def __str__(self) -> str:
        return f"{self.os}/{self.architecture}"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A registry's or feed's user and secret. The secret never shows in a representation."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class ImageInfo:
    """An image as the engine holds it; `size` in bytes, `digests` as `repository@sha256:…`."""

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    size: int = 0
    os: str = ""
    architecture: str = ""
    os_version: str = ""
    has_healthcheck: bool = False
    build_triggers: bool = False
    """Whether it has instructions (ONBUILD) that run in each build that begins with it."""
    exposed_ports: tuple[str, ...] = ()
    parent: str = ""
    """The id of the image that the classic builder made it from, by `command`, at `created` (ISO 8601, UTC)."""
    command: str = ""
    created: str = ""


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """One image to build from `context`, a folder; `dockerfile` is relative to it.

    `tags` are full references, given once the image is whole. `arguments` must hold no secrets: they end in
    the image's history. `credentials` are for base images in private registries, by the registry's name.
    """

    context: Path
    tags: tuple[str, ...]
    dockerfile: str = "Dockerfile"
    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    platform: str = ""
    pull: bool = False
    cache_from: tuple[str, ...] = ()
    memory: int = 0
    """Bytes that one instruction may use; 0 is no limit."""
    timeout: float = 0
    """Seconds after which the build is given up; 0 is no limit."""
    isolation: Isolation = ""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Values for `RUN --mount=type=secret,id=…`, by id. They reach BuildKit alone, never the image."""
    credentials: Mapping[str, Credentials] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class Port:
    """A published port: `host` on `address` leads to `container`. Host 0 lets the engine choose."""

    container: int
    host: int = 0
    address: str = ""
    protocol: Literal["tcp", "udp"] = "tcp"

    def __str__(self) -> str:
        address = f"{self.address}:" if self.address else ""
        suffix = "" if self.protocol == "tcp" else f"/{self.protocol}"
        return f"{address}{self.host or ''}:{self.container}{suffix}"


@dataclass(frozen=True, kw_only=True)
class Volume:
    """A bind of a host folder, or a named volume, at `target` in the container."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network to join, under these names besides the container's own."""

    name: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Ulimit:
    """A limit of the kernel for each process, by `setrlimit`'s name in lower case; -1 is none."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a container may use: `memory` and `shared_memory` in bytes, `cpus` as a number of them; 0 is no limit,
    of `shared_memory` the engine's own.
    """

    memory: int = 0
    memory_swap: int = 0
    cpus: float = 0
    pids: int = 0
    shared_memory: int = 0
    ulimits: tuple[Ulimit, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device of the host, at `target` in the container. On Windows it is a class, which has neither of the rest."""

    source: str
    target: str = ""
    permissions: str = ""
    """Of `r`, `w` and `m` (make it), those that are allowed."""


@dataclass(frozen=True, kw_only=True)
class Privileges:
    """What a container may do more, or less, than the engine allows to others.

    Capabilities are written as in `NET_ADMIN`, or `ALL`; `security` holds the engine's own texts
    (`no-new-privileges`, `apparmor=…`); `gpus` is how many, -1 for all.
    """

    everything: bool = False
    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    security: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    gpus: int = 0


@dataclass(frozen=True, kw_only=True)
class HealthCommand:
    """A HEALTHCHECK given to the container in place of its image's. An argument list; seconds."""

    command: tuple[str, ...]
    interval: float = 1
    timeout: float = 5
    retries: int = 3
    start_period: float = 0


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """Everything needed to create one container. `environment` never shows in a representation.

    An empty field leaves the image's or the engine's own choice. `isolation` and `credential_spec` (the name
    of a file for gMSA, or its JSON) are for Windows. `tmpfs` are the options of folders in memory, by their path,
    `sysctls` the kernel's settings that are a container's own.
    """

    name: str
    image: str
    ports: tuple[Port, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    volumes: tuple[Volume, ...] = ()
    networks: tuple[Network, ...] = ()
    restart: Literal["no", "on-failure", "always", "unless-stopped"] = "unless-stopped"
    labels: Mapping[str, str] = field(default_factory=dict)
    restart_retries: int = 0
    """For `on-failure`: how often it is tried again; 0 is without end."""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    hostname: str = ""
    stop_timeout: int = 10
    stop_signal: str = ""
    resources: Resources = field(default_factory=Resources)
    privileges: Privileges = field(default_factory=Privileges)
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    sysctls: Mapping[str, str] = field(default_factory=dict)
    health: HealthCommand | None = None
    log_driver: str = ""
    log_options: Mapping[str, str] = field(default_factory=dict)
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    dns: tuple[str, ...] = ()
    read_only: bool = False
    init: bool = False
    isolation: Isolation = ""
    credential_spec: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class ContainerInfo:
    """A container as the engine sees it now. `ports` are the published ones; times are ISO 8601, UTC."""

    id: str
    name: str
    image: str
    image_id: str
    state: ContainerState
    health: Health = "none"
    exit_code: int = 0
    error: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    addresses: tuple[str, ...] = ()
    created: str = ""
    started: str = ""
    finished: str = ""
    restarts: int = 0
    health_output: str = ""
    stop_timeout: int = 10
    """Seconds that it may take to end, as it was made."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Its own and its image's, secrets and all; it never shows in a representation."""

    @property
    def running(self) -> bool:
        return self.state == "running"


@dataclass(frozen=True, kw_only=True)
class HostAddress:
    """Where a host is, and the password that opens it. A password never stands in a URL, an argv or a text."""

    url: str
    password: str = field(default="", repr=False)


class ContainerHost(Protocol):
    """A container engine somewhere. Names and ids are interchangeable where a container is named.

    A kind of host of one's own is a function `connect(address: HostAddress) -> ContainerHost`, registered in the
    entry point group `dockwright.hosts` under the scheme of its URLs. Connecting fails with HostError if the
    engine cannot be reached, and so may every call. What a call on a container or image raises beyond that stands
    with it; a library's own errors never come through. `agent/testing` has a host in memory, which behaves alike.
    """

    @property
    def url(self) -> str:
        """Where this is, as `--host` takes it, without any password."""
        ...

    @property
    def address(self) -> str:
        """The name or IP under which published ports answer, seen from the agent."""
        ...

    def platform(self) -> Platform:
        """What its engine runs. It is asked for often, and does not change."""
        ...

    def image(self, reference: str) -> ImageInfo | None:
        """The image of that id or reference if the host has it; nothing is pulled."""
        ...

    def images(self, labels: Mapping[str, str]) -> list[ImageInfo]:
        """All images that carry these labels; an empty value asks for the key only."""
        ...

    def pull(self, reference: str, credentials: Credentials | None, progress: ByteProgress) -> ImageInfo:
        """Fetch a tag, or a digest, whether or not it is there already. RegistryError if it cannot be had.

        Nobody's credentials are used but those that are given, and they stay nowhere.
        """
        ...

    def build(self, request: BuildRequest, output: LineSink) -> ImageInfo:
        """Build; each line the engine prints goes to `output`. BuildError names instruction and line.

        Tags and labels are there when the image is whole, never before.
        """
        ...

    def push(self, reference: str, credentials: Credentials | None, progress: ByteProgress) -> str:
        """Push and return the manifest's digest (`sha256:…`). RegistryError if the registry does not take it."""
        ...

    def tag(self, image: str, reference: str) -> None:
        """Give an image one more name, taken from another image if need be. BuildError if there is no such image."""
        ...

    def remove_image(self, reference: str) -> None:
        """Remove the reference (and the image with its last one); one that is not there is fine.

        ContainerError if a container, running or not, needs it.
        """
        ...

    def find(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        """All containers, running or not, that carry these labels; an empty value asks for the key only."""
        ...

    def publishing(self, port: Port) -> ContainerInfo | None:
        """The running container that publishes this host port, if any."""
        ...

    def inspect(self, container: str) -> ContainerInfo | None:
        """The container as it is now, or None if there is none such."""
        ...

    def create(self, spec: ContainerSpec) -> ContainerInfo:
        """Create a container, which does not run yet; nothing is pulled.

        ContainerError if the image is not there, the name is taken, or a network does not exist.
        """
        ...

    def start(self, container: str) -> None:
        """Start it; one that runs is fine. ContainerError if it is not there, or its port is taken."""
        ...

    def stop(self, container: str, timeout: int) -> None:
        """Ask it to end, and kill it after `timeout` seconds; one that does not run is fine."""
        ...

    def remove(self, container: str) -> None:
        """Kill if need be and remove, with its anonymous volumes; one that is not there is fine."""
        ...

    def logs(self, container: str, tail: int) -> list[str]:
        """The last `tail` lines of stdout and stderr together."""
        ...

    def wait(self, container: str, timeout: float) -> int:
        """The exit code once it has ended; ContainerError after `timeout` seconds."""
        ...

    def copy_out(self, container: str, path: str) -> Iterator[bytes]:
        """The file or folder as chunks of a tar stream. ContainerError if there is no such path."""
        ...

    def copy_in(self, container: str, path: str, archive: Iterable[bytes]) -> None:
        """Unpack a tar stream into the folder `path`, which must exist, of a container that may be stopped."""
        ...

    def follow(self, container: str, output: LineSink, tail: int = -1) -> None:
        """Each line of stdout and stderr as it comes, until the container ends.

        It begins with the first line, or with the last `tail` of those that are there already. A line beyond a
        mebibyte comes in pieces of that size.
        """
        ...

    def execute(self, container: str, command: Sequence[str], output: LineSink, timeout: float) -> int:
        """Run a program in a running container and return its exit code (126 or 127 if there is none such).

        ContainerError after `timeout` seconds; the program itself then ends with its container.
        """
        ...

    def close(self) -> None:
        """Give back connections, threads and shells. It fails with nothing, once is enough, and twice does no harm.

        Containers and images stay as they are. Whoever connects closes, by `with connection(address)` of
        `agent/plugins.py`; nothing else is asked of a host that was closed.
        """
        ...
