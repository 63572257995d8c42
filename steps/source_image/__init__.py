"""The step `source-image`: packages become an image made for one deployment, which is pushed and run.

acquire → extract → transform → build → push → run
"""

from __future__ import annotations

import msgspec

from agent.containers import Replaced, Replacement, replace
from agent.host import ImageInfo
from agent.images import ImageRequest, PushRequest, build, push
from agent.plan import Plan
from agent.registry import RegistryClient, find_credentials
from agent.step import Outcome, StepContext
from steps.source_image.manifest import SourceImage
from steps.source_image.planning import describe
from steps.source_image.preparation import Prepared, prepare

STAGES = ("acquire", "extract", "transform", "build", "push", "run")


class SourceImageStep:
    """Makes, pushes and runs the image of one deployment."""

    def run(self, context: StepContext) -> Outcome:
        """The whole way, in the order of the module's second line."""
        context.report.stages(STAGES)
        prepared = prepare(SourceImage.from_inputs(context), context)
        with prepared.hooks.watching():
            context.confirm(lambda: describe(prepared, context))
            image = _build(prepared, context)
            digest = _push(prepared, image, context)
            replaced = _run(prepared, digest, context)
        return _outcome(prepared, digest, replaced)

    def plan(self, context: StepContext) -> Plan:
        """The same way, up to the first side effect."""
        context.report.stages(STAGES[:3])
        return describe(prepare(SourceImage.from_inputs(context), context, planning=True), context)


def _build(prepared: Prepared, context: StepContext) -> ImageInfo:
    with context.report.stage("build"):
        request = ImageRequest(
            tree=prepared.tree,
            reference=str(prepared.reference),
            settings=prepared.recipe.build,
            identity=prepared.identity,
            labels=prepared.labels,
        )
        with prepared.hooks.hidden():
            image = build(request, context.host, context.journal, context.report.output, context.report.info)
        context.journal.note(image=str(prepared.reference), configuration=prepared.configuration)
        context.report.detail(str(prepared.reference))
        if not prepared.hooks.awaited(("PostDeploy", "DeployFailed")):
            context.discard(prepared.tree)
        return image


def _push(prepared: Prepared, image: ImageInfo, context: StepContext) -> str:
    """The digest in the registry, or nothing where there is no registry to push to."""
    with context.report.stage("push"):
        if not prepared.source.registry:
            context.report.detail("no registry given; the image stays on its host")
            return ""
        reference = prepared.reference
        credentials = find_credentials(reference.registry, prepared.source.credentials)
        with RegistryClient(reference.registry, credentials) as client:
            request = PushRequest(
                reference=str(reference),
                image=image,
                credentials=credentials,
                in_registry=lambda: client.manifest_digest(reference.repository, reference.tag),
            )
            progress = context.report.transfer(f"push {reference.tag}")
            digest = push(request, context.host, context.journal, progress)
        context.journal.note(digest=digest)
        context.report.detail(digest)
        return digest


def _run(prepared: Prepared, digest: str, context: StepContext) -> Replaced | None:
    """PostDeploy has the last word: if it fails, the old container serves again."""
    with context.report.stage("run"):
        settings = prepared.recipe.run
        if settings is None:
            context.report.detail("nothing to run; the image is the result")
            _post_deploy(prepared, _outputs(prepared, digest))
            return None
        spec = settings.specification(str(prepared.reference), context.deployment.suffix, prepared.container_labels)
        context.journal.note(specification=msgspec.json.encode(spec).decode())
        outputs = {**_outputs(prepared, digest), "Container": spec.name}
        replacement = Replacement(
            slot=context.deployment.slot,
            spec=spec,
            health=settings.health,
            keep=settings.keep,
            accept=lambda: _post_deploy(prepared, outputs),
        )
        replaced = replace(replacement, context.host, context.journal, context.guard, context.report.info)
        context.report.detail(f"{replaced.container.name} serves, good after {replaced.boot_seconds:.1f} s")
        return replaced


def _post_deploy(prepared: Prepared, outputs: dict[str, str]) -> None:
    """The package's own script may look at what was made: `Octopus.Action[STEP].Output.Image` and the others."""
    prepared.hooks.tell(outputs)
    prepared.hooks.run("PostDeploy")


def _outcome(prepared: Prepared, digest: str, replaced: Replaced | None) -> Outcome:
    outputs = _outputs(prepared, digest)
    if replaced is not None:
        outputs["Container"] = replaced.container.name
    said = prepared.hooks.outputs
    return Outcome(
        outputs={**said, **outputs},
        told=frozenset(said.keys() - outputs.keys()),
        container=outputs.get("Container", ""),
        boot_seconds=(replaced.boot_seconds or None) if replaced else None,
    )


def _outputs(prepared: Prepared, digest: str) -> dict[str, str]:
    return {
        "Image": str(prepared.reference),
        "Digest": digest,
        "Registry": prepared.source.registry,
        "Version": prepared.reference.tag,
    }
