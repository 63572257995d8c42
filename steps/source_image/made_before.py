"""Another host's run of the same deployment may have made its image: then all hosts run that one, and none like it.

Two builds of the same packages and configuration are two images, of which only the later one would keep the tag.
"""

from __future__ import annotations

from agent.errors import InputError, RegistryError
from agent.host import ImageInfo
from agent.images import LayerCache, OpenImage, open_image
from agent.registry import RegistryClient, find_credentials
from agent.step import StepContext
from steps.source_image.preparation import Prepared


def pulled_if_made(prepared: Prepared, context: StepContext) -> ImageInfo | None:
    """The image on the host, under the deployment's tag, if the registry has it under that tag, made of the same.

    None if not; a registry that cannot be asked now will be asked when the image is pushed.
    """
    reference = prepared.reference
    if not prepared.source.registry or context.host.image(str(reference)) is not None:
        return None
    found = _found(prepared, context)
    if found is None:
        return None
    credentials = find_credentials(reference.registry, prepared.source.credentials)
    pinned = str(reference.with_digest(found.image.digest))
    context.report.info(f"{reference} is in the registry already, made from the same packages and configuration")
    with context.journal.effect("build", "pull", pinned):
        pulled = context.host.pull(pinned, credentials, context.report.transfer(f"pull {reference.tag}"))
        context.host.tag(pulled.id, str(reference))
    return context.host.image(str(reference))


def _found(prepared: Prepared, context: StepContext) -> OpenImage | None:
    reference, platform = prepared.reference, context.host.platform()
    credentials = find_credentials(reference.registry, prepared.source.credentials)
    try:
        with RegistryClient(reference.registry, credentials) as client:
            digest = client.manifest_digest(reference.repository, reference.tag)
            if digest is None:
                return None
            cache = LayerCache(context.image_cache)
            image = open_image(reference.with_digest(digest), client, str(platform), cache)
    except (RegistryError, InputError):
        return None
    same = prepared.identity.items() <= image.config.labels.items()
    fits = (image.config.os, image.config.architecture) == (platform.os, platform.architecture)
    return image if same and fits else None
