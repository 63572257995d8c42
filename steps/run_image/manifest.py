"""Everything that `run-image` was asked to do, as one frozen value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agent.errors import InputError
from agent.host import Credentials
from agent.images import BuildSettings
from agent.scripts import Script, ScriptSettings, read_script
from agent.step import StepContext
from agent.transform import TransformSettings
from steps.source_image.manifest import SourceImage, find_source, login, login_registry

_FOR_SERVICES = {"restart", "restart-retries", "health", "keep", "cutover", "replicas", "on-failure"}
_UNFIT = re.compile(r"[^a-z0-9]+")


class Inputs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """The step's inputs in `step.yaml`: `source` is a package with a Dockerfile, `image` one that is there already.

    `run` is what it is for `source-image`, its name left to us; `artifacts` are paths in the container. The login is
    for `registry`, from which the base images of a source come; an image names its registry itself.
    """

    source: str = ""
    image: str = ""
    registry: str = ""
    registry_username: str = ""
    registry_password: str = ""
    transform: TransformSettings | None = None
    build: BuildSettings | None = None
    run: dict[str, Any] = {}
    script: ScriptSettings | None = None
    artifacts: list[str] = []
    time_limit: float = 3600
    hooks: bool | None = None


@dataclass(frozen=True, kw_only=True)
class RunImage:
    """What to run. Of `source` and `image`, one is there."""

    source: str
    image: str
    registry: str
    """Whose `credentials` these are; an image has its own."""
    credentials: Credentials | None
    transform: TransformSettings | None
    build: BuildSettings | None
    run: dict[str, Any] = field(repr=False)
    script: Script | None
    artifacts: tuple[str, ...]
    time_limit: float
    hooks: bool | None
    name: str
    """The part of names that is this step's: of the container, and of an image that is made."""

    @classmethod
    def from_inputs(cls, context: StepContext) -> RunImage:
        """InputError for inputs that contradict each other, or a script that is not there."""
        inputs = context.decode(Inputs)
        _require_sensible(inputs)
        name = f"once-{_UNFIT.sub('-', context.deployment.step.lower()).strip('-')[:60] or 'image'}"
        return cls(
            source=inputs.source,
            image=inputs.image,
            registry=login_registry(inputs.registry, inputs.registry_username) if inputs.source else "",
            credentials=login(inputs.registry_username, inputs.registry_password),
            transform=inputs.transform,
            build=inputs.build,
            run={"name": name, **inputs.run},
            script=read_script(inputs.script, context.bundle) if inputs.script else None,
            artifacts=tuple(inputs.artifacts),
            time_limit=inputs.time_limit,
            hooks=inputs.hooks,
            name=name,
        )

    def as_source(self, context: StepContext) -> SourceImage:
        """The same, as `source-image` would make it: an image of that name, which is pushed nowhere."""
        return SourceImage(
            source=find_source(self.source, context.packages),
            registry="",
            repository=f"dockwright/{self.name}",
            credentials=self.credentials,
            login_registry=self.registry,
            transform=self.transform,
            build=self.build,
            run=self.run,
            hooks=self.hooks,
        )


def _require_sensible(inputs: Inputs) -> None:
    """InputError for inputs that contradict each other, or mean nothing here."""
    if bool(inputs.source) == bool(inputs.image):
        raise InputError("step.yaml: inputs: give either source, a package with a Dockerfile, or image, not both")
    if inputs.image and (inputs.transform or inputs.build):
        raise InputError("step.yaml: inputs: transform and build are for a source; an image is taken as it is")
    if inputs.image and inputs.registry:
        raise InputError("step.yaml: inputs.registry: an image names its registry itself; leave it out")
    if not 0 < inputs.time_limit <= 7 * 86_400:
        raise InputError("step.yaml: inputs.time-limit: it is in seconds, and at most a week")
    if meaningless := sorted(_FOR_SERVICES & inputs.run.keys()):
        raise InputError(f"step.yaml: inputs.run.{meaningless[0]}: it is for what goes on running; leave it out")
