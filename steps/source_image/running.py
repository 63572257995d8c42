"""run: the image that was made becomes a container, in the place of the one before.

All steps that make an image for a container end so.
"""

from __future__ import annotations

import msgspec

from agent.containers import Replaced, Replacement, replace
from agent.retention.settings import ImageRetention
from agent.step import Outcome, StepContext
from steps.source_image.preparation import Prepared


def run_made(prepared: Prepared, digest: str, context: StepContext) -> Outcome:
    """The outcome of the whole deployment. PostDeploy has the last word: if it fails, the old container serves again.

    `digest` is the image's in its registry, "" if it is in none.
    """
    return _outcome(prepared, digest, _run(prepared, digest, context))


def _run(prepared: Prepared, digest: str, context: StepContext) -> Replaced | None:
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
            accept=(lambda: _post_deploy(prepared, outputs)) if prepared.hooks.awaited(("PostDeploy",)) else None,
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
        retention=_retention(prepared),
    )


def _retention(prepared: Prepared) -> ImageRetention | None:
    source = prepared.source
    if source.retention is None:
        return None
    registry = prepared.reference.registry if source.registry else ""
    return ImageRetention(settings=source.retention, registry=registry, credentials=source.credentials)


def _outputs(prepared: Prepared, digest: str) -> dict[str, str]:
    return {
        "Image": str(prepared.reference),
        "Digest": digest,
        "Registry": prepared.source.registry,
        "Version": prepared.reference.tag,
    }
