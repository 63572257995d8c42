"""The Dockerfile as it will be built: from its template if it has one, and giving no secret away."""

from __future__ import annotations

from pathlib import Path

from msgspec import structs

from agent.images import BuildSettings, refuse_leaks, render_dockerfile
from agent.step import StepContext
from agent.transform import ChangedFile, Transformed
from agent.variables import Variables


def finish_dockerfile(
    tree: Path, settings: BuildSettings, variables: Variables, transformed: Transformed, context: StepContext
) -> Transformed:
    """What was changed, and with it the Dockerfile that a template made: a plan shows it as a new file.

    BuildError for a template with mistakes, and for a Dockerfile that would bake a secret into the image.
    """
    if isinstance(settings.secrets, dict):
        for name, value in settings.secrets.items():
            context.report.masker.add(f"build.secrets.{name}", value)
    rendered = render_dockerfile(tree, settings, variables)
    refuse_leaks(tree, settings, variables)
    if rendered is None:
        return transformed
    made = ChangedFile(path=rendered.path, before=b"", after=rendered.text.encode())
    return structs.replace(transformed, files=(*transformed.files, made))
