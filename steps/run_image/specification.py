"""The container that runs once, and the labels by which it and its image are found again to be removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agent.containers import SLOT, RunSettings, run_settings
from agent.containers.once import ONCE
from agent.host import ContainerSpec
from agent.step import StepContext
from steps.run_image.manifest import RunImage
from steps.source_image.preparation import Prepared


def specification(wanted: RunImage, prepared: Prepared | None, context: StepContext) -> ContainerSpec:
    """The inputs' `run:` (over that of the source package), started once and never again by itself."""
    settings = _settings(wanted, prepared, context)
    known = prepared.container_labels if prepared else context.deployment.names
    image = str(prepared.reference) if prepared else wanted.image
    spec = settings.specification(image, context.deployment.suffix, labels(known, context))
    return replace(spec, restart="no", restart_retries=0)


def labels(known: Mapping[str, str], context: StepContext) -> dict[str, str]:
    """Those of any image or container of the deployment, but nothing serves here: in place of the slot's label
    stands the one that lets it go with the run."""
    kept = {name: value for name, value in known.items() if name != SLOT}
    return {**kept, ONCE: context.deployment.slot}


def _settings(wanted: RunImage, prepared: Prepared | None, context: StepContext) -> RunSettings:
    settings = prepared.recipe.run if prepared else run_settings({}, wanted.run, context.variables, "step.yaml")
    assert settings is not None  # the inputs always have a name for it
    return settings
