"""Everything that `image-per-deployment` was asked to do."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from agent.errors import InputError
from agent.images import BuildSettings
from agent.packages import PackageReference
from agent.retention.settings import RetentionSettings
from agent.step import StepContext
from agent.transform import TransformSettings
from steps.source_image.manifest import SourceImage, find_source, login, login_registry

_UNFIT = re.compile(r"[^a-z0-9]+")


class Inputs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """The step's inputs in `step.yaml`. `package` may be left out where the bundle lists only one.

    `image` is the repository that the host keeps the image in; left out, it follows from the package. The login is
    for `registry`, from which base images come; nothing is pushed there.
    """

    package: str = ""
    image: str = ""
    registry: str = ""
    registry_username: str = ""
    registry_password: str = ""
    transform: TransformSettings | None = None
    build: BuildSettings | None = None
    run: dict[str, Any] | None = None
    hooks: bool | None = None
    hook_time_limit: float = 3600
    retention: RetentionSettings | None = None


def source_from(context: StepContext) -> SourceImage:
    """The same, as `source-image` would be asked for it without a registry to push to.

    InputError for inputs that cannot be.
    """
    inputs = context.decode(Inputs)
    package = find_source(inputs.package, context.packages) if inputs.package else _only_package(context)
    return SourceImage(
        source=package,
        registry="",
        repository=inputs.image or _UNFIT.sub("-", package.id.lower()).strip("-"),
        credentials=login(inputs.registry_username, inputs.registry_password),
        login_registry=login_registry(inputs.registry, inputs.registry_username),
        transform=inputs.transform,
        build=inputs.build,
        run=inputs.run,
        hooks=inputs.hooks,
        hook_time_limit=inputs.hook_time_limit,
        retention=inputs.retention,
    )


def _only_package(context: StepContext) -> PackageReference:
    if len(context.packages) == 1:
        return context.packages[0]
    names = ", ".join(package.name for package in context.packages)
    raise InputError(f"step.yaml: inputs.package: say which package has the Dockerfile ({names or 'none is listed'})")
