"""The step `image-per-release`: one image for all environments, built and pushed once, when the release is first met.

acquire → extract → transform → build → push → run

A deployment takes that very image by its digest. What is the environment's own comes by environment variables; and
where the configuration features change files, by one small layer on top. Without `run`, the release's image is the
result: that is how a release is made before it is deployed anywhere.
"""

from __future__ import annotations

from dataclasses import replace

from agent.errors import InputError
from agent.plan import Plan
from agent.step import Outcome, StepContext
from steps.source_image.making import make
from steps.source_image.manifest import SourceImage
from steps.source_image.planning import describe
from steps.source_image.preparation import Prepared, prepare
from steps.source_image.running import run_made
from steps.source_image.ways import FullBuild, OnRelease, Way

NAME = "image-per-release"
STAGES = ("acquire", "extract", "transform", "build", "push", "run")


class ImagePerReleaseStep:
    """Makes sure of the release's image, and runs it for one environment."""

    def run(self, context: StepContext) -> Outcome:
        """The whole way, in the order of the module's second line."""
        context.report.stages(STAGES)
        prepared = _prepared(context, planning=False)
        with prepared.hooks.watching():
            context.confirm(lambda: describe(prepared, context, NAME))
            digest = make(prepared, context)
            return run_made(prepared, digest, context)

    def plan(self, context: StepContext) -> Plan:
        """The same way, up to the first side effect."""
        context.report.stages(STAGES[:3])
        return describe(_prepared(context, planning=True), context, NAME)


def _prepared(context: StepContext, *, planning: bool) -> Prepared:
    """InputError for what would need an image of its own for each environment."""
    source = SourceImage.from_inputs(context)
    if not source.registry:
        raise InputError("step.yaml: inputs.registry: the release's image is kept for all environments; say where")
    prepared = prepare(replace(source, as_is=True), context, planning=planning)
    way = _only(prepared.way, prepared)
    if isinstance(way, OnRelease) and prepared.recipe.run is None:
        return replace(prepared, way=replace(way, files={}), reference=way.release)
    return replace(prepared, way=way)


def _only(way: Way, prepared: Prepared) -> Way:
    """A golden image is its release's already."""
    early = [name for name in prepared.hooked if "postdeploy" not in name.lower()]
    if early:
        raise InputError(
            f"{early[0]} could change what goes into the release's image, which is the same everywhere; "
            "remove it, turn it off with hooks: false, or use the step source-image"
        )
    if isinstance(way, FullBuild):
        raise InputError(
            f"the release's image cannot serve every environment: {way.reason}; "
            "move that instruction before the files are copied, or use the step source-image"
        )
    return replace(way, only=True) if isinstance(way, OnRelease) else way
