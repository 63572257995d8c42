"""A container as a host has it, and one that it is to make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from agent.host.image import Isolation

ContainerState = Literal["created", "running", "restarting", "paused", "removing", "exited", "dead"]
Health = Literal["none", "starting", "healthy", "unhealthy"]


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
