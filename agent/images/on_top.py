"""One more layer on an image in a registry, and labels of its own: an image for one deployment.

The base's layers stay as they are, byte for byte. In its own registry nothing of them is sent; into another one they
go as they come, without touching the disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from agent.images.image_config import Addition, read_config, with_layer
from agent.images.layer import Layer, LayerContent, make_layer
from agent.images.opened import LARGEST_CONFIG, OpenImage
from agent.registry import Descriptor, ImageReference, Manifest, RegistryClient

if TYPE_CHECKING:
    from agent.journal import Effects


class OnTop(msgspec.Struct, frozen=True, kw_only=True):
    """What to put on `base`, and where the whole goes. Without files, only the labels differ from the base's.

    `identity` are the labels that, when equal, mean the same content: a target that has them is left as it is.
    """

    base: OpenImage
    target: ImageReference
    labels: Mapping[str, str]
    content: LayerContent = LayerContent()
    identity: Mapping[str, str] = {}


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """The image in the registry; `layer_bytes` is the size of the new layer, 0 if there is none."""

    digest: str
    layer_bytes: int


def put_on_top(request: OnTop, source: RegistryClient, target: RegistryClient, journal: Effects) -> Put:
    """Make the image. `source` is the client of the base's registry, `target` that of the target's; maybe the same.

    InputError if the base has as many layers as engines take; RegistryError.
    """
    layer = _layer(request)
    size = len(layer.data) if layer else 0
    present = _present(request, layer, target)
    if present:
        return Put(digest=present, layer_bytes=size)
    with journal.effect("push", "push", str(request.target)):
        return Put(digest=push_on_top(request, layer, source, target), layer_bytes=size)


def push_on_top(request: OnTop, layer: Layer | None, source: RegistryClient, target: RegistryClient) -> str:
    """Push base, layer and a config that tells of both, under the target's tag; the manifest's digest."""
    base, where = request.base, request.target
    config_data = _config(request, layer)
    config = _described(config_data, base.image.manifest.config.media_type)
    layers = base.image.manifest.layers
    copy_blobs(layers, base.reference, where, source, target)
    if layer is not None:
        added = _described(layer.data, base.image.manifest.layer_type)
        if not target.has_blob(where.repository, added.digest):
            target.upload_blob(where.repository, added, lambda: [layer.data])
        layers = (*layers, added)
    target.upload_blob(where.repository, config, lambda: [config_data])
    manifest = Manifest(
        media_type=base.image.manifest.media_type,
        config=config,
        layers=layers,
        annotations=base.image.manifest.annotations,
    )
    return target.put_manifest(where.repository, where.selector, manifest.encoded(), manifest.media_type)


def copy_blobs(
    blobs: tuple[Descriptor, ...],
    origin: ImageReference,
    where: ImageReference,
    source: RegistryClient,
    target: RegistryClient,
) -> None:
    """Have blobs of one repository in another. Within one there is nothing to do; what a vendor keeps stays there."""
    ours = {blob.digest: blob for blob in blobs if not blob.is_foreign}
    if origin.registry != where.registry:
        for blob in ours.values():
            _send(blob, origin.repository, where.repository, source, target)
    elif origin.repository != where.repository:
        for blob in ours.values():
            target.copy_blob(origin.repository, where.repository, blob)


def _layer(request: OnTop) -> Layer | None:
    content = request.content
    return make_layer(content, request.base.system) if content.files or content.deleted else None


def _present(request: OnTop, layer: Layer | None, client: RegistryClient) -> str:
    """The digest of the target if it is this image already, else "": a digest of base, layer and labels."""
    image = client.image(request.target.repository, request.target.selector)
    wanted = [part.digest for part in request.base.image.manifest.layers] + ([layer.digest] if layer else [])
    if image is None or [part.digest for part in image.manifest.layers] != wanted:
        return ""
    data = client.load_blob(request.target.repository, image.manifest.config, LARGEST_CONFIG)
    labels = read_config(data, len(image.manifest.layers), str(image.reference)).labels
    return image.digest if request.identity.items() <= labels.items() else ""


def _config(request: OnTop, layer: Layer | None) -> bytes:
    base = request.base
    addition = Addition(
        diff_id=layer.diff_id if layer else "",
        comment=f"configuration of {base.reference.name}@{base.image.digest}",
        labels={**request.labels, **request.identity},
        created=datetime.now(UTC),
    )
    return with_layer(base.config_data, addition, str(base.reference))


def _send(blob: Descriptor, origin: str, where: str, source: RegistryClient, target: RegistryClient) -> None:
    """From one registry into another, piece by piece."""
    if not target.has_blob(where, blob.digest):
        target.upload_blob(where, blob, lambda: source.read_blob(origin, blob))


def _described(data: bytes, media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=f"sha256:{hashlib.sha256(data).hexdigest()}", size=len(data))
