"""Everything the step was asked to do, as one frozen value.

It comes from three places: the step's inputs, `sdi.yaml` in the source package, and, where both are silent,
the Octopus variables that Calamari would read (those of the four configuration features are read in
`agent/transform/settings.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from agent.containers import RunSettings, run_settings
from agent.documents import closest
from agent.errors import InputError
from agent.host import Credentials
from agent.images import BuildSettings, build_settings
from agent.packages import AcquiredPackage, PackageReference
from agent.registry import ImageReference, tag_from
from agent.registry.reference import DOCKER_HUB
from agent.retention.settings import RetentionSettings
from agent.source import SDI, GoldenPackage, read_packed_source
from agent.step import StepContext
from agent.transform import TransformSettings
from agent.transform.image_paths import in_image


class Inputs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """The step's inputs in `step.yaml`. `transform`, `build` and `run` win over those of `sdi.yaml`."""

    source: str
    image: str
    registry: str = ""
    registry_username: str = ""
    registry_password: str = ""
    transform: TransformSettings | None = None
    build: BuildSettings | None = None
    run: dict[str, Any] | None = None
    hooks: bool | None = None
    """Whether the package's PreDeploy, Deploy, PostDeploy and DeployFailed scripts are run on this machine."""
    hook_time_limit: float = 3600
    retention: RetentionSettings | None = None
    """How many deployments' images stay on the host and in the registry; without it, all."""


@dataclass(frozen=True, kw_only=True)
class SourceImage:
    """What to make: `source` is the package with the Dockerfile, `repository` where the image goes."""

    source: PackageReference
    registry: str
    repository: str
    credentials: Credentials | None
    transform: TransformSettings | None
    build: BuildSettings | None
    run: dict[str, Any] | None
    hooks: bool | None = None
    hook_time_limit: float = 3600
    retention: RetentionSettings | None = None
    as_is: bool = False
    """Whether a golden image will do as it is, with no file of it configured."""
    login_registry: str = ""
    """Whose `credentials` these are, where the image goes to no registry."""

    @property
    def logins(self) -> dict[str, Credentials]:
        """For base images in the step's own registry; `registry` may hold the first part of the repository too."""
        if self.credentials is None:
            return {}
        pushed_to = ImageReference.parse(f"{self.registry}/{self.repository}").registry if self.registry else ""
        return {pushed_to or self.login_registry: self.credentials}

    @classmethod
    def from_inputs(cls, context: StepContext) -> SourceImage:
        """InputError for a source that is not listed, or a registry and image that make no reference."""
        inputs = context.decode(Inputs)
        if inputs.registry_username and not inputs.registry:
            context.report.warning("step.yaml: inputs: registry-username is given, but no registry; it is not used")
        return cls(
            source=find_source(inputs.source, context.packages),
            registry=inputs.registry,
            repository=inputs.image,
            credentials=login(inputs.registry_username, inputs.registry_password),
            transform=inputs.transform,
            build=inputs.build,
            run=inputs.run,
            hooks=inputs.hooks,
            hook_time_limit=inputs.hook_time_limit,
            retention=inputs.retention,
        )


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The rest, known once the source package is there. `golden` is "" where an image is built."""

    golden: str | GoldenPackage
    packages: tuple[PackageReference, ...]
    transform: TransformSettings | None
    build: BuildSettings
    run: RunSettings | None


def read_recipe(package: AcquiredPackage, source: SourceImage, context: StepContext) -> Recipe:
    """Put `sdi.yaml` and the inputs together; the inputs win."""
    sdi = read_packed_source(package)
    transform = source.transform or sdi.transform
    return Recipe(
        golden=sdi.golden,
        packages=tuple(_released(reference, context.packages) for reference in sdi.packages),
        transform=in_image(transform) if sdi.golden else transform,
        build=build_settings(sdi.build, source.build, context.variables, SDI),
        run=run_settings(sdi.run, source.run, context.variables, SDI),
    )


def login(username: str, password: str) -> Credentials | None:
    """A step's login, if it is given one."""
    return Credentials(username=username, password=password) if username else None


def login_registry(registry: str, username: str) -> str:
    """Whose base images a login is for, as references name it, in a step that pushes nothing; "" without a login.

    InputError for one without the other, and for what names no registry: Docker would take it for Docker Hub.
    """
    if bool(registry) != bool(username):
        raise InputError("step.yaml: inputs: registry and registry-username go together; say whose login it is")
    if not registry:
        return ""
    try:
        named = ImageReference.parse(f"{registry}/any").registry
    except InputError:
        named = ""
    if not named or (named == DOCKER_HUB and not registry.partition("/")[0].endswith(DOCKER_HUB)):
        raise InputError(f"step.yaml: inputs.registry: '{registry}' names no registry; write its host, or host:port")
    return named


def find_source(name: str, packages: tuple[PackageReference, ...]) -> PackageReference:
    """The package of that name. InputError if the bundle lists none such."""
    for reference in packages:
        if reference.name.lower() == name.lower():
            return reference
    known = tuple(reference.name for reference in packages)
    raise InputError(f"step.yaml: inputs.source: no package is named '{name}' under packages{closest(name, known)}")


def image_reference(source: SourceImage, version: str, context: StepContext) -> ImageReference:
    """`registry/repository:{release}-deployments-{number}`; a run without a release has the package's version."""
    release = context.deployment.release or version
    tag = tag_from(f"{release}-{context.deployment.suffix}")
    prefix = f"{source.registry}/" if source.registry else ""
    return ImageReference.parse(f"{prefix}{source.repository}:{tag}")


def _released(reference: PackageReference, packages: tuple[PackageReference, ...]) -> PackageReference:
    """A package that the release names has the release's version and feed, wherever else it is asked for."""
    for named in packages:
        if named.name.lower() == reference.name.lower() or named.id.lower() == reference.id.lower():
            return msgspec.structs.replace(
                named,
                extract_to=reference.extract_to or named.extract_to,
                as_calamari=reference.as_calamari or named.as_calamari,
            )
    return reference
