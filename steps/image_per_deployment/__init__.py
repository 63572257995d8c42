"""The step `image-per-deployment`: the package brings its own Dockerfile, and the host builds it.

acquire → extract → transform → build → run

Nothing is pushed, so only private base images need a registry: build on the host, stop the old container, start the
new one.
"""

from __future__ import annotations

from agent.errors import InputError
from agent.plan import Plan
from agent.step import Outcome, StepContext
from steps.image_per_deployment.manifest import source_from
from steps.source_image.making import make_image
from steps.source_image.planning import describe
from steps.source_image.preparation import Prepared, prepare
from steps.source_image.running import run_made

NAME = "image-per-deployment"
STAGES = ("acquire", "extract", "transform", "build", "run")


class ImagePerDeploymentStep:
    """Builds the image of one deployment where it is to run, and runs it there."""

    def run(self, context: StepContext) -> Outcome:
        """The whole way, in the order of the module's second line."""
        context.report.stages(STAGES)
        prepared = _prepared(context, planning=False)
        with prepared.hooks.watching():
            context.confirm(lambda: describe(prepared, context, NAME))
            make_image(prepared, context)
            return run_made(prepared, "", context)

    def plan(self, context: StepContext) -> Plan:
        """The same way, up to the first side effect."""
        context.report.stages(STAGES[:3])
        return describe(_prepared(context, planning=True), context, NAME)


def _prepared(context: StepContext, *, planning: bool) -> Prepared:
    """InputError for a package that names no container to run."""
    prepared = prepare(source_from(context), context, planning=planning)
    if prepared.recipe.run is None:
        raise InputError("step.yaml: inputs.run: the image stays on this host, so say how it is run: run: {name: …}")
    return prepared
