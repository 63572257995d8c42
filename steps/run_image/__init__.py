"""The step `run-image`: an image for one run, for a runbook's task or a test suite.

acquire → extract → transform → build → run, and then nothing of it is left on the host. Or an image that is there
already is run. Either runs its own command, or a script inside.
"""

from __future__ import annotations

from dataclasses import replace

from agent.containers.once import OneOff, leaving_nothing, run_once
from agent.errors import ProgramError
from agent.plan import Plan
from agent.registry import ImageReference, find_credentials
from agent.scripts import Hooks, Listener
from agent.step import Outcome, StepContext
from agent.variables import Variables
from steps.run_image.collecting import asked_for, collect
from steps.run_image.execution import with_script
from steps.run_image.manifest import RunImage
from steps.run_image.planning import describe
from steps.run_image.specification import labels, specification
from steps.source_image.making import make_image
from steps.source_image.preparation import Prepared, prepare
from steps.source_image.ways import FullBuild, OnRelease

PREPARING = ("acquire", "extract", "transform")


class RunImageStep:
    """Makes or takes an image, runs it to its end, and removes what was made."""

    def run(self, context: StepContext) -> Outcome:
        """The whole way, in the order of the module's second line."""
        wanted = RunImage.from_inputs(context)
        context.report.stages((*PREPARING, "build", "run") if wanted.source else ("pull", "run"))
        prepared = _prepared(wanted, context)
        context.confirm(lambda: describe(wanted, prepared, context))
        with leaving_nothing(context.deployment.slot, context.host, context.guard, context.report.warning):
            if prepared is None:
                _pull(wanted, context)
                return _run(wanted, None, context)
            with prepared.hooks.watching():
                make_image(prepared, context)
                return _with_hooks(_run(wanted, prepared, context), prepared.hooks)

    def plan(self, context: StepContext) -> Plan:
        """The same way, up to the first side effect."""
        wanted = RunImage.from_inputs(context)
        context.report.stages(PREPARING if wanted.source else ())
        prepared = _prepared(wanted, context, planning=True)
        return describe(wanted, prepared, context)


def _prepared(wanted: RunImage, context: StepContext, *, planning: bool = False) -> Prepared | None:
    """As for `source-image`; but no image that others could build on is made, since nothing is to be left."""
    if not wanted.source:
        return None
    prepared = prepare(wanted.as_source(context), context, planning=planning)
    way = prepared.way
    if isinstance(way, OnRelease):
        way = FullBuild(reason="it is for one run only")
    return replace(prepared, way=way, labels=labels(prepared.labels, context))


def _pull(wanted: RunImage, context: StepContext) -> None:
    """Unless the host has it: the image stays there afterwards, as it was not made for this run."""
    with context.report.stage("pull"):
        if context.host.image(wanted.image) is not None:
            context.report.detail("the host has it already")
            return
        credentials = find_credentials(ImageReference.parse(wanted.image).registry, wanted.credentials)
        context.host.pull(wanted.image, credentials, context.report.transfer(f"pull {wanted.image}"))


def _run(wanted: RunImage, prepared: Prepared | None, context: StepContext) -> Outcome:
    """ProgramError, with its exit code, unless it ends with 0; what it set and left is kept either way."""
    with context.report.stage("run"):
        one_off = OneOff(spec=specification(wanted, prepared, context), time_limit=wanted.time_limit)
        if wanted.script is not None:
            system = context.host.platform().os
            one_off = with_script(one_off, wanted.script, _variables(prepared, context), system)
        listener = Listener(context.report)
        code = run_once(
            one_off,
            context.host,
            context.journal,
            listener.line,
            lambda ended: collect([*asked_for(wanted.artifacts), *listener.artifacts], ended, context),
        )
        listener.close()
        if code != 0:
            said = f": {listener.result}" if listener.result else "; see what it printed"
            raise ProgramError(f"{one_off.spec.name} ended with exit code {code}{said}", code)
        context.report.detail(f"{one_off.spec.name} ended well")
    return Outcome(outputs={**listener.outputs, "ExitCode": "0"}, told=frozenset(listener.outputs))


def _variables(prepared: Prepared | None, context: StepContext) -> Variables:
    """What the script may read: the packages' variables too, and what hooks have set."""
    return prepared.hooks.variables if prepared else context.variables


def _with_hooks(outcome: Outcome, hooks: Hooks) -> Outcome:
    """PostDeploy reads what the container has set, and may add to it."""
    hooks.tell(outcome.outputs)
    hooks.run("PostDeploy")
    return Outcome(outputs={**hooks.outputs, **outcome.outputs}, told=outcome.told | hooks.outputs.keys())
