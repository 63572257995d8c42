"""What the step would do, told before it does it."""

from __future__ import annotations

import msgspec

from agent.containers import SPECIFICATION, require_fitting
from agent.plan import Plan, PlannedContainer
from agent.step import StepContext
from steps.run_image.manifest import RunImage
from steps.run_image.specification import specification
from steps.source_image.planning import describe as describe_source
from steps.source_image.preparation import Prepared


def describe(wanted: RunImage, prepared: Prepared | None, context: StepContext) -> Plan:
    """The plan; nothing is replaced, so there is no outage to expect. ContainerError for what cannot run there."""
    spec = specification(wanted, prepared, context)
    require_fitting(spec, context.host, context.report.warning)
    container = PlannedContainer(
        name=spec.name,
        ports=[str(port) for port in spec.ports],
        specification=spec.labels[SPECIFICATION],
        outage="none: it runs once and is removed",
    )
    if prepared is not None:
        return msgspec.structs.replace(describe_source(prepared, context), step="run-image", container=container)
    return Plan(
        deployment=context.deployment.id,
        slot=context.deployment.slot,
        step="run-image",
        host=context.host_url,
        image=wanted.image,
        container=container,
    )
