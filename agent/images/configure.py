"""The configuration layer: the next environment's image, made in the registry, of the release's image and one layer.

No engine, no build, no upload of what is there already. The release's own layers stay as they are, byte for byte;
the changed configuration files are one small layer on top of them.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from agent.errors import InputError
from agent.images.contents import Found, find_files
from agent.images.image_config import read_config
from agent.images.layer import Layer, LayerContent, make_layer
from agent.images.layer_cache import LayerCache
from agent.images.on_top import OnTop, copy_blobs, push_on_top
from agent.images.opened import LARGEST_CONFIG, OpenImage, open_image
from agent.images.rewriting import layer_content
from agent.images.worktree import Changes, lay_out, take_back
from agent.labels import BASE, CONFIGURATION
from agent.registry import ImageReference, RegistryClient, RemoteImage

Outcome = Literal["configured", "retagged", "present"]


class ConfigureRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`base` becomes `target`, in the same registry.

    `files` are globs, relative to the image's root, of the files that `transform` is to find, at their paths in the
    image, in the folder that it is called with; `compile_glob` gives the expression for one. `work` is a folder to
    work in. `previous` are tags of the target's repository that may hold this very configuration already.
    """

    base: ImageReference
    target: ImageReference
    files: tuple[str, ...]
    compile_glob: Callable[[str], re.Pattern[str]]
    transform: Callable[[Path], object]
    work: Path
    cache: LayerCache
    platform: str = ""
    labels: Mapping[str, str] = {}
    previous: tuple[str, ...] = ()


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """The image under its tag.

    `outcome`: `configured` anew; `retagged`, since no file changes or a previous tag has this configuration;
    `present`, since the tag had it already. `layer` is the digest of the configuration's layer, "" if no file
    changes; `layer_bytes` its size; `changed` are paths in the image; `unmatched` are globs that fit no file.
    """

    reference: ImageReference
    digest: str
    base_digest: str
    outcome: Outcome
    layer: str = ""
    layer_bytes: int = 0
    changed: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()


def configure(request: ConfigureRequest, client: RegistryClient, log: Callable[[str], None]) -> Configured:
    """Make the image. The same configuration of the same base is the same layer, and found out as such.

    InputError if the base is not there or no file is found; RegistryError; whatever `transform` raises.
    """
    base = _read_base(request, client)
    found = _find(request, base, client, log)
    changes = _transformed(request, found)
    configured = _configured(request, base, layer_content(changes, found, base.system), client)
    return msgspec.structs.replace(configured, changed=changes.paths, unmatched=found.unmatched)


def _read_base(request: ConfigureRequest, client: RegistryClient) -> OpenImage:
    if not request.base.registry == request.target.registry == client.registry:
        raise InputError(
            f"{request.target} is in another registry than {request.base}; copy the release's image there first"
        )
    return open_image(request.base, client, request.platform, request.cache)


def _find(request: ConfigureRequest, base: OpenImage, client: RegistryClient, log: Callable[[str], None]) -> Found:
    found = find_files(base.layers(client, request.cache, log), request.files, request.compile_glob)
    if not found.files:
        globs = ", ".join(request.files) or "no globs"
        raise InputError(f"{request.base} has no file that matches {globs[:300]}; name the configuration files")
    return found


def _transformed(request: ConfigureRequest, found: Found) -> Changes:
    """Secrets may come into these files, so the folder is ours alone, and gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="configure-", dir=request.work) as folder:
        tree = Path(folder)
        lay_out(found.files, tree)
        request.transform(tree)
        return take_back(found.files, tree)


def _configured(
    request: ConfigureRequest, base: OpenImage, content: LayerContent, client: RegistryClient
) -> Configured:
    if not content.files and not content.deleted:
        return _tag(request, base, base.image, client)
    layer = make_layer(content, base.system)
    same = _same(request, base, layer, client)
    configured = _tag(request, base, same, client) if same else _push(request, base, layer, client)
    return msgspec.structs.replace(configured, layer=layer.digest, layer_bytes=len(layer.data))


def _same(request: ConfigureRequest, base: OpenImage, layer: Layer, client: RegistryClient) -> RemoteImage | None:
    """An image of the target's repository that is this one already: the tag's own, or a previous one."""
    for tag in dict.fromkeys((request.target.selector, *request.previous)):
        image = client.image(request.target.repository, tag, request.platform)
        if image is None or [part.digest for part in image.manifest.layers] != _digests(base, layer):
            continue
        data = client.load_blob(request.target.repository, image.manifest.config, LARGEST_CONFIG)
        labels = read_config(data, len(image.manifest.layers), str(image.reference)).labels
        wanted = _labels(base, layer)
        if tag == request.target.selector:
            wanted |= request.labels
        if wanted.items() <= labels.items():
            return image
    return None


def _digests(base: OpenImage, layer: Layer) -> list[str]:
    return [*(part.digest for part in base.image.manifest.layers), layer.digest]


def _labels(base: OpenImage, layer: Layer) -> dict[str, str]:
    configuration = hashlib.sha256(f"{base.image.digest}\n{layer.diff_id}\n".encode()).hexdigest()
    return {BASE: base.image.digest, CONFIGURATION: configuration}


def _tag(request: ConfigureRequest, base: OpenImage, image: RemoteImage, client: RegistryClient) -> Configured:
    """An image that is there already gets the tag, unless the tag leads to it."""
    target = request.target
    there = client.manifest_digest(target.repository, target.selector) == image.digest
    if not there:
        copy_blobs((*image.manifest.layers, image.manifest.config), image.reference, target, client, client)
        client.put_manifest(target.repository, target.selector, image.body, image.manifest.media_type)
    return Configured(
        reference=target,
        digest=image.digest,
        base_digest=base.image.digest,
        outcome="present" if there else "retagged",
    )


def _push(request: ConfigureRequest, base: OpenImage, layer: Layer, client: RegistryClient) -> Configured:
    made = OnTop(
        base=base,
        target=request.target,
        labels={**request.labels, **_labels(base, layer)},
    )
    digest = push_on_top(made, layer, client, client)
    return Configured(reference=request.target, digest=digest, base_digest=base.image.digest, outcome="configured")
