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
        context.confirm(lambda: describe(prepared, context))
        image = _build(prepared, context)
        digest = _push(prepared, image, context)
        replaced = _run(prepared, context)
        return _outcome(prepared, digest, replaced)

    def plan(self, context: StepContext) -> Plan:
        """The same way, up to the first side effect."""
        context.report.stages(STAGES[:3])
        return describe(prepare(SourceImage.from_inputs(context), context), context)


def _build(prepared: Prepared, context: StepContext) -> ImageInfo:
    with context.report.stage("build"):
        request = ImageRequest(
            tree=prepared.tree,
            reference=str(prepared.reference),
            settings=prepared.recipe.build,
            identity=prepared.identity,
            labels=prepared.labels,
        )
        image = build(request, context.host, context.journal, context.report.output, context.report.info)
        context.journal.note(image=str(prepared.reference), configuration=prepared.configuration)
        context.report.detail(str(prepared.reference))
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


def _run(prepared: Prepared, context: StepContext) -> Replaced | None:
    with context.report.stage("run"):
        settings = prepared.recipe.run
        if settings is None:
            context.report.detail("nothing to run; the image is the result")
            return None
        spec = settings.specification(str(prepared.reference), context.deployment.suffix, prepared.container_labels)
        context.journal.note(specification=msgspec.json.encode(spec).decode())
        replacement = Replacement(slot=context.deployment.slot, spec=spec, health=settings.health, keep=settings.keep)
        replaced = replace(replacement, context.host, context.journal, context.guard, context.report.info)
        context.report.detail(f"{replaced.container.name} serves, good after {replaced.boot_seconds:.1f} s")
        return replaced


def _outcome(prepared: Prepared, digest: str, replaced: Replaced | None) -> Outcome:
    outputs = {
        "Image": str(prepared.reference),
        "Digest": digest,
        "Registry": prepared.source.registry,
        "Version": prepared.reference.tag,
    }
    if replaced is not None:
        outputs["Container"] = replaced.container.name
    return Outcome(
        outputs=outputs,
        container=outputs.get("Container", ""),
        boot_seconds=(replaced.boot_seconds or None) if replaced else None,
    )
