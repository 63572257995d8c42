"""build → push, whichever way the image is made."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from agent.errors import InputError
from agent.host import ImageInfo
from agent.images import (
    Doubt,
    ImageRequest,
    LayerContent,
    OnTop,
    OpenImage,
    PushRequest,
    build,
    layer_content,
    push,
    put_on_top,
)
from agent.images.host_layer import HostLayer, build_on_top
from agent.labels import BASE
from agent.registry import RegistryClient, find_credentials
from agent.report.wording import size
from agent.step import StepContext
from steps.source_image.made_before import pulled_if_made
from steps.source_image.preparation import Prepared
from steps.source_image.release import (
    PLAIN,
    host_content,
    registry_content,
    release_in_registry,
    release_on_host,
    rewrite,
)
from steps.source_image.ways import FullBuild, OnGolden, OnRelease


@dataclass(frozen=True, kw_only=True)
class Layered:
    """An image that comes to be in its registry: what is put on top of which base there."""

    base: OpenImage
    content: LayerContent


Made = ImageInfo | Layered


def make(prepared: Prepared, context: StepContext) -> str:
    """Build and push; the digest in the registry, or nothing where there is no registry to push to."""
    made = make_image(prepared, context)
    with context.report.stage("push"):
        digest = _put(prepared, made, context) if isinstance(made, Layered) else _push(prepared, made, context)
        context.journal.note(digest=digest)
        return digest


def make_image(prepared: Prepared, context: StepContext) -> Made:
    """Build only: the image is on the host, or what it consists of is in the registry. No image holds the hooks."""
    with context.report.stage("build"):
        with prepared.hooks.hidden():
            made = _build(prepared, context)
        context.journal.note(image=str(prepared.reference), configuration=prepared.configuration)
        if not prepared.hooks.awaited(("PostDeploy", "DeployFailed")):
            context.discard(prepared.tree)
        return made


def _build(prepared: Prepared, context: StepContext) -> Made:
    way = prepared.way
    context.report.detail(str(way) if not isinstance(way, FullBuild) else str(prepared.reference))
    if isinstance(way, FullBuild):
        context.report.verbose(str(way))
        return _build_all(prepared, context)
    made = _on_golden(way, prepared, context) if isinstance(way, OnGolden) else _on_release(way, prepared, context)
    if not isinstance(made, Doubt):
        return made
    assert isinstance(way, OnRelease)
    if way.only:
        raise InputError(f"{way.release} cannot be configured without another build: {made.reason}; see source-image")
    context.report.info(f"built as a whole after all: {made.reason}")
    rewrite(way.changed, prepared.tree, before=False)
    return _build_all(prepared, context)


def _build_all(prepared: Prepared, context: StepContext) -> ImageInfo:
    made = pulled_if_made(prepared, context)
    if made is not None:
        return made
    request = ImageRequest(
        tree=prepared.tree,
        reference=str(prepared.reference),
        settings=prepared.recipe.build,
        identity=prepared.identity,
        labels=prepared.labels,
        credentials=prepared.source.logins,
    )
    return build(request, context.host, context.journal, context.report.output, context.report.info)


def _on_release(way: OnRelease, prepared: Prepared, context: StepContext) -> Made | Doubt:
    """In the registry, if there is one: then nothing but the layer is sent from now on."""
    if not prepared.source.registry:
        image = release_on_host(way, prepared, context)
        if isinstance(image, Doubt):
            return image
        layer = host_content(way, image, context)
        return layer if isinstance(layer, Doubt) else _on_host(image, layer, image.id, prepared, context)
    base = release_in_registry(way, prepared, context)
    if isinstance(base, Doubt):
        return base
    content = registry_content(way, base, prepared, context)
    return content if isinstance(content, Doubt) else Layered(base=base, content=content)


def _on_golden(way: OnGolden, prepared: Prepared, context: StepContext) -> Made:
    golden = way.golden
    if golden.base is not None and prepared.source.registry:
        return Layered(base=golden.base, content=layer_content(way.changes, way.found, golden.base.system))
    content = layer_content(way.changes, way.found, PLAIN)
    image = golden.image or _pulled(way, prepared, context)
    return _on_host(image, content, golden.resolved.digest, prepared, context)


def _pulled(way: OnGolden, prepared: Prepared, context: StepContext) -> ImageInfo:
    """Pinned: the tag may lead elsewhere by now."""
    resolved = way.golden.resolved
    pinned = str(resolved.pinned)
    present = context.host.image(pinned)
    if present is not None:
        return present
    with context.journal.effect("build", "pull", pinned):
        credentials = way.golden.credentials(prepared.source)
        return context.host.pull(pinned, credentials, context.report.transfer(f"pull {resolved.image}"))


def _on_host(
    base: ImageInfo, content: LayerContent, digest: str, prepared: Prepared, context: StepContext
) -> ImageInfo:
    present = context.host.image(str(prepared.reference))
    wanted = {**prepared.identity, BASE: digest}
    if present is not None and wanted.items() <= present.labels.items():
        context.report.info(f"{prepared.reference} is there already, with the same base and configuration")
        return present
    layer = HostLayer(
        base=base,
        reference=str(prepared.reference),
        content=content,
        labels={**prepared.labels, **wanted},
        work=context.work,
    )
    return build_on_top(layer, context.host, context.journal, context.report.output)


def _push(prepared: Prepared, image: ImageInfo, context: StepContext) -> str:
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
    context.report.detail(digest)
    return digest


def _put(prepared: Prepared, made: Layered, context: StepContext) -> str:
    """Straight into the registry; the host then pulls what it has not."""
    digest = _tagged(prepared, made, context) if _is_release(prepared, made) else _put_layer(prepared, made, context)
    if prepared.recipe.run is not None:
        _pull(prepared, digest, context)
    return digest


def _is_release(prepared: Prepared, made: Layered) -> bool:
    content = made.content
    return isinstance(prepared.way, OnRelease) and prepared.way.only and not (content.files or content.deleted)


def _tagged(prepared: Prepared, made: Layered, context: StepContext) -> str:
    """The release's very image; the deployment's tag on it says, to whoever tidies up the registry, who needs it."""
    reference, image = prepared.reference, made.base.image
    credentials = find_credentials(reference.registry, prepared.source.credentials)
    with RegistryClient(reference.registry, credentials) as client:
        if client.manifest_digest(reference.repository, reference.tag) != image.digest:
            with context.journal.effect("push", "push", str(reference)):
                media_type = image.manifest.media_type
                client.put_manifest(reference.repository, reference.tag, image.body, media_type)
    context.report.detail(f"{image.digest}, as it is")
    return image.digest


def _put_layer(prepared: Prepared, made: Layered, context: StepContext) -> str:
    reference = prepared.reference
    credentials = find_credentials(reference.registry, prepared.source.credentials)
    request = OnTop(
        base=made.base,
        target=reference,
        content=made.content,
        labels={**prepared.labels, BASE: made.base.image.digest},
        identity={**prepared.identity, BASE: made.base.image.digest},
    )
    with RegistryClient(reference.registry, credentials) as target, ExitStack() as stack:
        golden = prepared.way.golden if isinstance(prepared.way, OnGolden) else None
        source = stack.enter_context(golden.client(prepared.source)) if golden else target
        put = put_on_top(request, source, target, context.journal)
    context.report.detail(f"{put.digest}, {size(put.layer_bytes)} on top of {made.base.image.digest[:19]}")
    return put.digest


def _pull(prepared: Prepared, digest: str, context: StepContext) -> None:
    """By digest, and then named as a pushed one is."""
    reference = prepared.reference
    pinned = reference.with_digest(digest)
    present = context.host.image(str(reference))
    if present is not None and str(pinned) in present.digests:
        return
    credentials = find_credentials(reference.registry, prepared.source.credentials)
    with context.journal.effect("push", "pull", str(pinned)):
        pulled = context.host.pull(str(pinned), credentials, context.report.transfer(f"pull {reference.tag}"))
        context.host.tag(pulled.id, str(reference))
