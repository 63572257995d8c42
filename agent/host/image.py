"""An image as a host has it, and one that it is to build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Isolation = Literal["", "process", "hyperv"]
"""How Windows containers are kept apart; "" leaves it to the engine. Linux knows one way only."""


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
