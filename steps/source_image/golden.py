"""The golden image: found, pinned, and its configuration files laid out to be transformed.

They come from its layers in the registry, or, where only the host has the image, out of a container that is made
for that and never started.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex

from agent.errors import HostError, InputError, RegistryError
from agent.host import Credentials, ImageInfo
from agent.images import Changes, Found, LayerCache, OpenImage, find_files, lay_out, open_image, take_back
from agent.images.host_files import OF_PLANS, find_host_files, unstarted
from agent.packages import ResolvedImage, resolve_image
from agent.registry import ImageReference, RegistryClient, find_credentials
from agent.source import SDI, GoldenPackage
from agent.step import StepContext
from agent.transform.globs import compile_glob, is_literal
from agent.transform.image_paths import globs_spoken_of
from agent.transform.settings import TransformSettings, settings_from
from steps.source_image.manifest import Recipe, SourceImage, find_source

DOCKER_HUB = "docker.io"


@dataclass(frozen=True, kw_only=True)
class Golden:
    """The image, pinned. `base` where a registry has it; else `image`, which only the host has."""

    resolved: ResolvedImage
    base: OpenImage | None = None
    image: ImageInfo | None = None

    def client(self, source: SourceImage) -> RegistryClient:
        """Of the registry that has it."""
        return _client(self.resolved, source)

    def credentials(self, source: SourceImage) -> Credentials | None:
        """For that registry: the feed's, the step's own if it is the same one, or Docker's logins."""
        return _credentials(self.resolved, source)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Files of the golden image, and the folder in which they are laid out by their paths in it."""

    golden: Golden
    found: Found
    tree: Path

    def changes(self) -> Changes:
        """What was done to the files since. InputError for one that the image does not have."""
        return take_back(self.found.files, self.tree)


def find_golden(recipe: Recipe, source: SourceImage, context: StepContext) -> Golden:
    """InputError for an image that is nowhere, or is for another platform."""
    if isinstance(recipe.golden, GoldenPackage):
        resolved = resolve_image(find_source(recipe.golden.package, context.packages), context.feeds)
    else:
        resolved = _named(recipe.golden)
    platform = _platform(recipe, context)
    golden = _on_host(resolved, context) if resolved.reference.registry == DOCKER_HUB else None
    if golden is None:
        golden = _in_registry(resolved, source, platform, context)
    _require_platform(golden, platform)
    return golden


def take_files(
    golden: Golden, settings: TransformSettings | None, source: SourceImage, context: StepContext, name: str
) -> Taken:
    """The files that the features speak of. InputError for a path that the image does not have.

    Where only the host has the image, `name` is for the container that it is looked into by.
    """
    globs = globs_spoken_of(settings_from(settings, context.variables))
    where = f"{SDI}: golden: {golden.resolved.image}"
    if not globs and not source.as_is:
        raise InputError(f"{where}: transform names no files of it; name them by their paths in the image")
    found = _found(golden, globs, source, context, name) if globs else Found(files=(), folders={})
    missing = [glob for glob in found.unmatched if is_literal(glob)]
    if missing or (globs and not found.files):
        hint = _hint(golden, missing[0], source, context) if missing and golden.base else ""
        raise InputError(
            f"{where}: it has no file {', '.join(missing or globs)[:300]}; name files as they are in it{hint}"
        )
    tree = context.scratch(sum(len(file.content) for file in found.files))[0] / "tree"
    tree.mkdir()
    lay_out(found.files, tree)
    return Taken(golden=golden, found=found, tree=tree)


def _named(text: str) -> ResolvedImage:
    reference = ImageReference.parse(text)
    return ResolvedImage(
        reference=reference,
        digest=reference.digest,
        version=reference.tag or reference.selector,
        image=text,
        registry=reference.registry,
        id=reference.name,
        name="golden",
    )


def _on_host(resolved: ResolvedImage, context: StepContext) -> Golden | None:
    """An image that came from no registry: its name is short because it is at home."""
    image = None
    with suppress(HostError):  # what a registry has can be configured without any engine
        image = context.host.image(resolved.image)
    if image is None or image.digests:
        return None
    return Golden(resolved=_pinned(resolved, image.id), image=image)


def _in_registry(resolved: ResolvedImage, source: SourceImage, platform: str, context: StepContext) -> Golden:
    reference = resolved.reference.with_digest(resolved.digest) if resolved.digest else resolved.reference
    try:
        with _client(resolved, source) as client:
            base = open_image(reference, client, platform, LayerCache(context.image_cache))
    except (InputError, RegistryError):
        image = context.host.image(resolved.image)
        if image is None:
            raise
        return Golden(resolved=_pinned(resolved, image.id), image=image)
    return Golden(resolved=_pinned(resolved, base.image.digest), base=base)


def _pinned(resolved: ResolvedImage, digest: str) -> ResolvedImage:
    return replace(resolved, digest=digest)


def _client(resolved: ResolvedImage, source: SourceImage) -> RegistryClient:
    return RegistryClient(resolved.reference.registry, _credentials(resolved, source), insecure=resolved.insecure)


def _credentials(resolved: ResolvedImage, source: SourceImage) -> Credentials | None:
    """The step's own never go to another registry."""
    registry = resolved.reference.registry
    return find_credentials(registry, resolved.credentials or source.logins.get(registry))


def _platform(recipe: Recipe, context: StepContext) -> str:
    """What is asked for; else what the host needs, if the image is to run there."""
    if recipe.build.platform or recipe.run is None:
        return recipe.build.platform
    platform = context.host.platform()
    return f"{platform}:{platform.os_version}" if platform.os_version else str(platform)


def _require_platform(golden: Golden, platform: str) -> None:
    """An index chose by it already; an image alone may be for any."""
    about = golden.base.config if golden.base else golden.image
    assert about is not None
    wanted = platform.partition(":")[0].split("/")[:2]
    if platform and wanted != [about.os, about.architecture]:
        raise InputError(
            f"{SDI}: golden: {golden.resolved.image} is for {about.os}/{about.architecture}, "
            f"{'/'.join(wanted)} is needed; name an image for that"
        )


def _found(golden: Golden, globs: tuple[str, ...], source: SourceImage, context: StepContext, name: str) -> Found:
    if golden.base is not None:
        return _found_in_registry(golden, globs, source, context)
    return _found_on_host(golden, globs, context, name)


def _found_in_registry(golden: Golden, globs: tuple[str, ...], source: SourceImage, context: StepContext) -> Found:
    assert golden.base is not None
    with golden.client(source) as client:
        layers = golden.base.layers(client, LayerCache(context.image_cache), context.report.verbose)
        return find_files(layers, globs, compile_glob)


def _found_on_host(golden: Golden, globs: tuple[str, ...], context: StepContext, name: str) -> Found:
    assert golden.image is not None
    with unstarted(golden.image.id, name, context.host, context.journal) as container:
        return find_host_files(container, globs, compile_glob, context.host)


def container_name(context: StepContext) -> str:
    """The slot's own, so that what a crash left is found again."""
    return f"dockwright-look-{hashlib.sha256(context.deployment.slot.encode()).hexdigest()[:12]}"


def plan_container_name(context: StepContext) -> str:
    """This process's own: a plan does not hold the slot, so a run or another plan may look at the same time."""
    return f"{container_name(context)}{OF_PLANS}{os.getpid()}-{token_hex(2)}"


def _hint(golden: Golden, path: str, source: SourceImage, context: StepContext) -> str:
    """The same name in other letters: on Linux these are different files."""
    assert golden.base is not None
    other = re.compile(re.escape(path) + r"\Z", re.IGNORECASE)
    with golden.client(source) as client:
        layers = golden.base.layers(client, LayerCache(context.image_cache), context.report.verbose)
        near = find_files(layers, ("**",), lambda _glob: other).files
    return f" (letter case counts: it has {near[0].path})" if near else ""
