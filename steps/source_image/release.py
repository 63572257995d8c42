"""The image of a release: built once of the packages as they were packed, and pushed once.

What is then put on top of it for an environment is held against the image itself: where a file is not what the
Dockerfile should have put there, there is a doubt, and the deployment's image is built as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final

from agent.errors import RegistryError
from agent.host import ImageInfo
from agent.images import (
    Doubt,
    Found,
    ImageRequest,
    LayerCache,
    LayerContent,
    OpenImage,
    PushRequest,
    build,
    exactly,
    find_files,
    open_image,
    push,
    rewritten,
)
from agent.images.host_files import find_host_files, unstarted
from agent.images.known_files import known_files
from agent.labels import PACKAGE
from agent.lock import slot_lock
from agent.registry import ImageReference, RegistryClient, find_credentials
from agent.step import StepContext
from agent.transform import ChangedFile
from steps.source_image.golden import container_name
from steps.source_image.preparation import Prepared
from steps.source_image.ways import OnRelease

PLAIN: Final = "linux"
"""How paths are in what an engine is given: as they are in a container, on Windows too."""

LONGEST_BUILD = 3600.0
"""Seconds that a deployment waits for another one to build the image of their release."""

SHARED_NAMES = ("Octopus.Space.Id", "Octopus.Project.Id", "Octopus.Project.Name", "Octopus.Release.Number")
"""Of a deployment's labels, those that all environments of a release have in common."""


def is_made(way: OnRelease, prepared: Prepared, context: StepContext) -> bool:
    """Whether the release's image is there, as far as can be known: then no base image is needed any more."""
    if not prepared.source.registry:
        present = context.host.image(str(way.release))
        return present is not None and present.labels.get(PACKAGE) == way.key
    with suppress(RegistryError), _client(way, prepared) as client:
        return _present(way, client, LayerCache(context.image_cache), context) is not None
    return False


def release_in_registry(way: OnRelease, prepared: Prepared, context: StepContext) -> OpenImage | Doubt:
    """The release's image as its registry has it, built and pushed if it has not."""
    cache = LayerCache(context.image_cache)
    with _client(way, prepared) as client:
        if there := _present(way, client, cache, context):
            return there
        with _alone(way, context):
            return _present(way, client, cache, context) or _pushed(way, prepared, client, context)


def _present(way: OnRelease, client: RegistryClient, cache: LayerCache, context: StepContext) -> OpenImage | None:
    reference = way.release
    if client.manifest_digest(reference.repository, reference.tag) is None:
        return None
    there = open_image(reference, client, "", cache)
    if there.config.labels.get(PACKAGE) != way.key:
        return None
    context.report.info(f"{reference} is in the registry already")
    return there


def _pushed(way: OnRelease, prepared: Prepared, client: RegistryClient, context: StepContext) -> OpenImage | Doubt:
    reference = way.release
    image = _on_host(way, prepared, context)
    if isinstance(image, Doubt):
        return image
    request = PushRequest(
        reference=str(reference),
        image=image,
        credentials=find_credentials(reference.registry, prepared.source.credentials),
        in_registry=lambda: client.manifest_digest(reference.repository, reference.tag),
    )
    digest = push(request, context.host, context.journal, context.report.transfer(f"push {reference.tag}"))
    return open_image(reference.with_digest(digest), client, "", LayerCache(context.image_cache))


def _alone(way: OnRelease, context: StepContext) -> AbstractContextManager[None]:
    """Several deployments of one release may begin at once; one of them builds its image, the others wait."""
    return slot_lock(
        context.image_cache,
        str(way.release),
        context.deployment.id,
        LONGEST_BUILD,
        lambda other: context.report.info(f"waiting for {other}, which builds {way.release}"),
    )


def release_on_host(way: OnRelease, prepared: Prepared, context: StepContext) -> ImageInfo | Doubt:
    """The release's image as the host has it, built if it has not. A base with triggers is a doubt."""
    with _alone(way, context):
        return _on_host(way, prepared, context)


def _on_host(way: OnRelease, prepared: Prepared, context: StepContext) -> ImageInfo | Doubt:
    doubt = _triggers(way, prepared, context, sure=False)
    if doubt:
        return doubt
    present = context.host.image(str(way.release))
    if present is not None and present.labels.get(PACKAGE) == way.key:
        context.report.info(f"{way.release} is built already")
        return present
    rewrite(way.changed, prepared.tree, before=True)
    image = _built(way, prepared, context)
    doubt = _triggers(way, prepared, context, sure=True)
    if doubt:
        context.host.remove_image(str(way.release))
    return doubt or image


def _triggers(way: OnRelease, prepared: Prepared, context: StepContext, *, sure: bool) -> Doubt | None:
    """Looked for before a build that would be for nothing, as far as the bases are known, and after it to be sure.

    BuildKit keeps what it pulls to itself; the host then pulls it too, this once.
    """
    for base in way.bases:
        info = context.host.image(base)
        with suppress(RegistryError):
            info = info or (_pulled(base, prepared, context) if sure else None)
        if (info is None and sure) or (info is not None and info.build_triggers):
            return Doubt(reason=f"{base} may have triggers (ONBUILD), which could see what is configured")
    return None


def _pulled(base: str, prepared: Prepared, context: StepContext) -> ImageInfo:
    registry = ImageReference.parse(base).registry
    credentials = prepared.source.logins.get(registry) or find_credentials(registry)
    with context.journal.effect("build", "pull", base):
        return context.host.pull(base, credentials, context.report.transfer(f"pull {base}"))


def registry_content(
    way: OnRelease, base: OpenImage, prepared: Prepared, context: StepContext
) -> LayerContent | Doubt:
    """What the layer holds, with modes and owners as the release's layers in the registry tell them."""
    with _client(way, prepared) as client:
        layers = base.layers(client, LayerCache(context.image_cache), context.report.verbose)
        found = find_files(layers, tuple(way.files), exactly)
    return rewritten(found, way.files, base.system)


def host_content(way: OnRelease, image: ImageInfo, context: StepContext) -> LayerContent | Doubt:
    """The same, as the engine tells them."""
    if not way.files:
        return LayerContent()

    def look() -> Found:
        with unstarted(image.id, container_name(context), context.host, context.journal) as container:
            return find_host_files(container, tuple(way.files), exactly, context.host)

    found = known_files(image.id, tuple(way.files), LayerCache(context.image_cache), look)
    return rewritten(found, way.files, PLAIN)


def rewrite(files: Iterable[ChangedFile], tree: Path, *, before: bool) -> None:
    """Make the files of the tree what they were in their packages, or again what this deployment needs."""
    for file in files:
        path = tree / file.path
        mode = path.stat().st_mode
        path.unlink()  # it may be read-only
        path.write_bytes(file.before if before else file.after)
        path.chmod(mode & 0o7777)


def _built(way: OnRelease, prepared: Prepared, context: StepContext) -> ImageInfo:
    names = {name: prepared.labels[name] for name in SHARED_NAMES if name in prepared.labels}
    request = ImageRequest(
        tree=prepared.tree,
        reference=str(way.release),
        settings=prepared.recipe.build,
        identity={PACKAGE: way.key},
        labels=names,
        credentials=prepared.source.logins,
    )
    return build(request, context.host, context.journal, context.report.output, context.report.info)


def _client(way: OnRelease, prepared: Prepared) -> RegistryClient:
    registry = way.release.registry
    return RegistryClient(registry, find_credentials(registry, prepared.source.credentials))
