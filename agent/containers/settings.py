"""The `run:` section of a step's inputs and of `sdi.yaml`, and the container specification made from it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Literal

import msgspec

from agent.containers import privileges
from agent.containers.credential_spec import check_credential_spec
from agent.containers.cutover import Cutover, OnFailure, Recreate, shaped
from agent.containers.health import HealthSettings
from agent.containers.labels import CONFIGURATION, RUN, SPECIFICATION
from agent.containers.notation import NetworkSettings, parse_networks, parse_ports, parse_size, parse_volume
from agent.errors import InputError
from agent.host import ContainerSpec, HealthCommand, Isolation, Privileges, Resources

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,100}$")
_SMALLEST_MEMORY = 6 * 1024 * 1024  # engines refuse less


class RunSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """How the image is run; what is left out is the image's or the engine's own choice.

    Ports are written `8080:80`, volumes `source:target[:ro]`, sizes `512MB` (powers of 1024, as Docker reads
    them); times are in seconds, `cpus` is a number of them. What `privileges` reads is written as for Docker.
    """

    name: str
    ports: list[str] = []
    environment: dict[str, str] = {}
    volumes: list[str] = []
    network: str = ""
    aliases: list[str] = []
    networks: list[str | NetworkSettings] = []
    """More networks, each a name or `{name: …, aliases: […]}`."""
    restart: Literal["no", "on-failure", "always", "unless-stopped"] = "unless-stopped"
    restart_retries: int = 0
    entrypoint: list[str] = []
    command: list[str] = []
    user: str = ""
    working_dir: str = ""
    hostname: str = ""
    stop_timeout: int = 10
    stop_signal: str = ""
    memory: str = ""
    memory_swap: str = ""
    """Memory and swap together, `unlimited` for as much swap as there is."""
    cpus: float = 0
    pids: int = 0
    shm_size: str = ""
    ulimits: dict[str, str | privileges.UlimitSettings] = {}
    tmpfs: list[str] = []
    sysctls: dict[str, str] = {}
    cap_add: list[str] = []
    cap_drop: list[str] = []
    security_opt: list[str] = []
    privileged: bool = False
    group_add: list[str] = []
    devices: list[str] = []
    gpus: str = ""
    log_driver: str = ""
    log_options: dict[str, str] = {}
    extra_hosts: dict[str, str] = {}
    dns: list[str] = []
    read_only: bool = False
    init: bool = False
    isolation: Isolation = ""
    credential_spec: str = ""
    labels: dict[str, str] = {}
    health: HealthSettings = HealthSettings()
    keep: int = 3
    """How many stopped predecessors stay for a rollback."""
    cutover: Cutover = Recreate()
    replicas: int = 1
    on_failure: OnFailure = "rollback"

    def specification(self, image: str, suffix: str, labels: Mapping[str, str]) -> ContainerSpec:
        """The container for one deployment. Its name is deterministic, so that making it again is harmless.

        InputError names the field that cannot be.
        """
        _check(self)
        bare = ContainerSpec(
            name=f"{self.name}-{suffix}",
            image=image,
            ports=parse_ports(self.ports),
            environment=self.environment,
            volumes=tuple(parse_volume(text) for text in self.volumes),
            networks=parse_networks(self.network, self.aliases, self.networks),
            restart=self.restart,
            restart_retries=self.restart_retries,
            entrypoint=tuple(self.entrypoint),
            command=tuple(self.command),
            user=self.user,
            working_dir=self.working_dir,
            hostname=self.hostname,
            stop_timeout=self.stop_timeout,
            stop_signal=self.stop_signal,
            resources=_resources(self),
            privileges=_privileges(self),
            tmpfs=privileges.tmpfs(self.tmpfs),
            sysctls=privileges.sysctls(self.sysctls),
            health=_health_command(self.health),
            log_driver=self.log_driver,
            log_options=self.log_options,
            extra_hosts=self.extra_hosts,
            dns=tuple(self.dns),
            read_only=self.read_only,
            init=self.init,
            isolation=self.isolation,
            credential_spec=self.credential_spec,
            labels=self.labels,
        )
        bare = shaped(bare, self.cutover, self.replicas, self.on_failure)
        judged = msgspec.json.encode(self.health).decode()
        own = {SPECIFICATION: _hash(bare, labels.get(CONFIGURATION, image), judged), RUN: judged}
        return replace(bare, labels={**bare.labels, **labels, **own})


def _check(settings: RunSettings) -> None:
    if not _NAME.match(settings.name):
        raise InputError(
            f"run.name: '{settings.name}' is not a container name; use letters, digits, '_', '.' and '-', at most 100"
        )
    for field in ("stop_timeout", "restart_retries", "cpus", "pids", "keep"):
        if not 0 <= getattr(settings, field) <= 1_000_000_000:
            raise InputError(f"run.{field.replace('_', '-')}: it is {getattr(settings, field)}; write 0 or more")
    if settings.restart_retries and settings.restart != "on-failure":
        raise InputError("run.restart-retries: only a container with restart: on-failure counts them; add that")
    check_credential_spec(settings.credential_spec.strip())
    for name, value in settings.environment.items():
        if not name or "=" in name or "\0" in name + value:
            raise InputError(
                f"run.environment: '{name}' is no name of an environment variable, or its value holds NUL"
            )
    for label in settings.labels:
        if label.startswith("dockwright."):
            raise InputError(f"run.labels: '{label}' is dockwright's own; choose another name")


def _resources(settings: RunSettings) -> Resources:
    memory = parse_size(settings.memory, "memory")
    unlimited = settings.memory_swap == "unlimited"
    swap = -1 if unlimited else parse_size(settings.memory_swap, "memory-swap")
    if 0 < memory < _SMALLEST_MEMORY:
        raise InputError(f"run.memory: '{settings.memory}' is too little for any container; write 6MB or more")
    if swap and not memory:
        raise InputError("run.memory-swap: it goes together with run.memory; give that as well")
    if 0 < swap < memory:
        raise InputError(f"run.memory-swap: it is memory and swap together, so at least {settings.memory}")
    return Resources(
        memory=memory,
        memory_swap=swap,
        cpus=settings.cpus,
        pids=settings.pids,
        shared_memory=parse_size(settings.shm_size, "shm-size"),
        ulimits=privileges.ulimits(settings.ulimits),
    )


def _privileges(settings: RunSettings) -> Privileges:
    return Privileges(
        everything=settings.privileged,
        added=privileges.capabilities(settings.cap_add, "cap-add"),
        dropped=privileges.capabilities(settings.cap_drop, "cap-drop"),
        security=privileges.security_options(settings.security_opt),
        groups=tuple(settings.group_add),
        devices=privileges.devices(settings.devices),
        gpus=privileges.gpus(settings.gpus),
    )


def _health_command(health: HealthSettings) -> HealthCommand | None:
    if not health.command:
        return None
    return HealthCommand(
        command=tuple(health.command),
        interval=health.command_interval,
        timeout=health.command_timeout,
        retries=health.retries,
        start_period=health.start_period,
    )


def _hash(specification: ContainerSpec, content_of_image: str, health: str) -> str:
    content = {**asdict(specification), "image": content_of_image, "judged": health}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
