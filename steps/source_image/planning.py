"""What the step would do, told before it does it."""

from __future__ import annotations

import hashlib

from agent.containers import SPECIFICATION, expected_outage, relay_warning, require_fitting, serving, shape_of
from agent.errors import BuildError
from agent.images import require_fitting_bases
from agent.packages import AcquiredPackage, ResolvedImage
from agent.plan import Plan, PlannedContainer, PlannedFile, PlannedPackage
from agent.step import StepContext
from agent.transform import ChangedFile, unified_diff
from steps.source_image.preparation import Prepared
from steps.source_image.release import is_made
from steps.source_image.ways import OnGolden, OnRelease


def describe(prepared: Prepared, context: StepContext, step: str = "source-image") -> Plan:
    """The plan for what was prepared; the container host is asked, nothing on it is changed.

    BuildError or ContainerError for what that host could not build or run anyway.
    """
    _require_fitting_bases(prepared, context)
    return Plan(
        deployment=context.deployment.id,
        slot=context.deployment.slot,
        step=step,
        host=context.host_url,
        packages=[*map(planned_package, prepared.packages), *map(_image, prepared.images)],
        files=[planned_file(file, context) for file in prepared.transformed.files],
        unmatched=[f"{rule.feature}: {rule.rule}: {rule.reason}" for rule in prepared.transformed.unmatched],
        image=str(prepared.reference),
        way=str(prepared.way),
        registry=prepared.source.registry,
        configuration=prepared.configuration,
        container=_container(prepared, context),
        hooks=list(prepared.hooked),
    )


def _require_fitting_bases(prepared: Prepared, context: StepContext) -> None:
    """As the build itself does, which may be for an image that was made before."""
    way = prepared.way
    if isinstance(way, OnGolden):
        return
    try:
        require_fitting_bases(prepared.recipe.build.request(prepared.tree), context.host, context.report.info)
    except BuildError:
        if not (isinstance(way, OnRelease) and is_made(way, prepared, context)):
            raise


def planned_package(package: AcquiredPackage) -> PlannedPackage:
    """A package as plans show it."""
    return PlannedPackage(
        name=package.reference.name,
        id=package.id,
        version=str(package.version),
        sha256=package.sha256,
        size=package.size,
    )


def _image(image: ResolvedImage) -> PlannedPackage:
    digest = image.digest.partition(":")[2]
    return PlannedPackage(name=image.name, id=image.id, version=image.version, sha256=digest, size=0)


def planned_file(file: ChangedFile, context: StepContext) -> PlannedFile:
    """A configured file as plans show it, its secrets masked."""
    return PlannedFile(
        path=file.path,
        before=hashlib.sha256(file.before).hexdigest(),
        after=hashlib.sha256(file.after).hexdigest(),
        diff=unified_diff(file, context.report.masker.mask),
    )


def _container(prepared: Prepared, context: StepContext) -> PlannedContainer | None:
    settings = prepared.recipe.run
    if settings is None:
        return None
    spec = settings.specification(str(prepared.reference), context.deployment.suffix, prepared.container_labels)
    require_fitting(spec, context.host, context.report.warning)
    shape = shape_of(spec.labels)
    if warning := relay_warning(shape, context.host):
        context.report.warning(warning)
    old = serving(context.host, context.deployment.slot)
    return PlannedContainer(
        name=spec.name,
        ports=[str(port) for port in (*shape.ports, *spec.ports)],
        specification=spec.labels[SPECIFICATION],
        replaces=", ".join(container.name for container in old),
        replaces_image=", ".join(container.image for container in old),
        outage=expected_outage(shape, context.last_boot_seconds, replaces=bool(old)),
    )
