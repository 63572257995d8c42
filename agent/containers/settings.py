"""The `run:` section of a step's inputs and of `sdi.yaml`, and the container specification made from it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Literal

import msgspec

from agent.containers.health import HealthSettings
from agent.containers.labels import CONFIGURATION, RUN, SPECIFICATION
from agent.errors import InputError
from agent.host import ContainerSpec, Network, Port, Volume

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,100}$")
_PORT = re.compile(
    r"^(?:(?:(?P<address>\[[0-9a-fA-F:]+\]|[0-9.]+):)?(?P<host>\d{1,5})?:)?(?P<container>\d{1,5})(?:/(?P<protocol>tcp|udp))?$"
)


class RunSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """How the image is run. Ports are written `8080:80`; volumes `source:target[:ro]`; times are in seconds."""

    name: str
    ports: list[str] = []
    environment: dict[str, str] = {}
    volumes: list[str] = []
    network: str = ""
    aliases: list[str] = []
    restart: Literal["no", "on-failure", "always", "unless-stopped"] = "unless-stopped"
    command: list[str] = []
    stop_timeout: int = 10
    health: HealthSettings = HealthSettings()
    keep: int = 3
    """How many stopped predecessors stay for a rollback."""

    def specification(self, image: str, suffix: str, labels: Mapping[str, str]) -> ContainerSpec:
        """The container for one deployment. Its name is deterministic, so that making it again is harmless."""
        _require_name(self.name)
        bare = ContainerSpec(
            name=f"{self.name}-{suffix}",
            image=image,
            ports=tuple(parse_port(text) for text in self.ports),
            environment=self.environment,
            volumes=tuple(parse_volume(text) for text in self.volumes),
            networks=(Network(name=self.network, aliases=tuple(self.aliases)),) if self.network else (),
            restart=self.restart,
            command=tuple(self.command),
            stop_timeout=self.stop_timeout,
        )
        own = {
            SPECIFICATION: _hash(bare, labels.get(CONFIGURATION, image)),
            RUN: msgspec.json.encode(self.health).decode(),
        }
        return replace(bare, labels={**labels, **own})


def parse_port(text: str) -> Port:
    """`80`, `8080:80`, `127.0.0.1:8080:80`, `53:53/udp`."""
    match = _PORT.match(text.strip())
    if match is None:
        raise InputError(f"run.ports: '{text}' is not a port; write HOST:CONTAINER, for example 8080:80")
    host, container = int(match["host"] or 0), int(match["container"])
    if host > 65535 or not 0 < container <= 65535:
        raise InputError(f"run.ports: '{text}' is out of range; ports are 1 to 65535")
    protocol: Literal["tcp", "udp"] = "udp" if match["protocol"] == "udp" else "tcp"
    return Port(container=container, host=host, address=(match["address"] or "").strip("[]"), protocol=protocol)


def parse_volume(text: str) -> Volume:
    r"""`name:/target`, `/host/folder:/target:ro`, `C:\data:C:\app\data`."""
    body, read_only = (text[:-3], True) if text.endswith(":ro") else (text.removesuffix(":rw"), False)
    match = re.match(r"^(?P<source>[A-Za-z]:[\\/][^:]*|[^:]+):(?P<target>[A-Za-z]:[\\/][^:]*|/[^:]*)$", body)
    if match is None:
        raise InputError(f"run.volumes: '{text}' is not a volume; write SOURCE:/TARGET or SOURCE:/TARGET:ro")
    return Volume(source=match["source"], target=match["target"], read_only=read_only)


def _require_name(name: str) -> None:
    if not _NAME.match(name):
        raise InputError(
            f"run.name: '{name}' is not a container name; use letters, digits, '_', '.' and '-', at most 100"
        )


def _hash(specification: ContainerSpec, content_of_image: str) -> str:
    content = {**asdict(specification), "image": content_of_image}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
