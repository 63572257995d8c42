"""The step `source-image`: packages become an image made for one deployment, which is pushed and run.

acquire → extract → transform → build → push → run
"""

from __future__ import annotations

from agent.plan import Plan
from agent.step import Outcome, StepContext
from steps.source_image.making import make
from steps.source_image.manifest import SourceImage
from steps.source_image.planning import describe
from steps.source_image.preparation import prepare
from steps.source_image.running import run_made

STAGES = ("acquire", "extract", "transform", "build", "push", "run")


class SourceImageStep:
    """Makes, pushes and runs the image of one deployment."""

    def run(self, context: StepContext) -> Outcome:
        """The whole way, in the order of the module's second line."""
        context.report.stages(STAGES)
        prepared = prepare(SourceImage.from_inputs(context), context)
        with prepared.hooks.watching():
            context.confirm(lambda: describe(prepared, context))
            digest = make(prepared, context)
            return run_made(prepared, digest, context)

    def plan(self, context: StepContext) -> Plan:
        """The same way, up to the first side effect."""
        context.report.stages(STAGES[:3])
        return describe(prepare(SourceImage.from_inputs(context), context, planning=True), context)
