"""The `build:` section of a step's inputs and of `sdi.yaml`."""

from __future__ import annotations

import msgspec

from agent.errors import InputError


class BuildSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """How the Dockerfile is built. `args` end in the image's history, so they must hold no secrets."""

    args: dict[str, str] = {}
    target: str = ""
    platform: str = ""
    dockerfile: str = "Dockerfile"
    secrets: list[str] = []

    def __post_init__(self) -> None:
        if self.secrets:
            raise InputError("build.secrets is not there yet in this version; leave it out")
