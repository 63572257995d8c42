"""What registries keep beside layers: image manifests and indexes, of Docker's schema 2 and of OCI.

Whoever serves these is not trusted: sizes, digests and kinds are checked before anyone sees them. Fields that
the formats define are kept, so that a manifest made from another loses none.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar

import msgspec

from agent.errors import RegistryError

OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST_TYPES: Final = (OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST)
"""What we ask a registry for."""

_LAYERS_FOR: Final = {
    OCI_MANIFEST: "application/vnd.oci.image.layer.v1.tar+gzip",
    DOCKER_MANIFEST: "application/vnd.docker.image.rootfs.diff.tar.gzip",
}
_CONFIGS: Final = frozenset(
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"]
)
_SCHEMA_1: Final = "application/vnd.docker.distribution.manifest.v1"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_MOST_LAYERS: Final = 1_000

_Document = TypeVar("_Document", bound=msgspec.Struct)


class PlatformEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an index says of one of its images."""

    architecture: str = ""
    os: str = ""
    os_version: str = msgspec.field(default="", name="os.version")
    os_features: tuple[str, ...] = msgspec.field(default=(), name="os.features")
    variant: str = ""


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A thing in the registry by its digest; `size` in bytes."""

    media_type: str
    digest: str
    size: int
    urls: tuple[str, ...] = ()
    annotations: dict[str, str] = {}
    platform: PlatformEntry | None = None

    @property
    def is_foreign(self) -> bool:
        """Whether it may be kept elsewhere than in the registry, as the base layers of old Windows images are."""
        return bool(self.urls) or "foreign" in self.media_type or "nondistributable" in self.media_type


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One image: its config and its layers, the lowest first."""

    schema_version: int = 2
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: dict[str, str] | msgspec.UnsetType = msgspec.UNSET

    @property
    def layer_type(self) -> str:
        """The media type of a gzipped layer in such a manifest."""
        return _LAYERS_FOR[self.media_type]

    def encoded(self) -> bytes:
        """The bytes to push, the same for the same manifest."""
        return msgspec.json.encode(self)


class Index(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The same image for several platforms."""

    manifests: tuple[Descriptor, ...]


def is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def read_document(body: bytes, content_type: str, where: str) -> Manifest | Index:
    """The manifest or index in an answer. RegistryError for what is neither, or could be read as both."""
    kind = _kind(body, content_type.partition(";")[0].strip().lower(), where)
    if kind in (OCI_INDEX, DOCKER_INDEX):
        index = _decoded(body, Index, where)
        _check(index.manifests, where)
        return index
    sent = _decoded(body, _Sent, where)
    manifest = Manifest(media_type=kind, config=sent.config, layers=sent.layers, annotations=sent.annotations)
    _check((manifest.config, *manifest.layers), where)
    if manifest.config.media_type not in _CONFIGS:
        raise RegistryError(f"{where} is no container image but {manifest.config.media_type[:100]!r}; name an image")
    return manifest


class _Outline(msgspec.Struct, rename="camel"):
    schema_version: int = 0
    media_type: str = ""
    manifests: msgspec.Raw = msgspec.Raw()
    layers: msgspec.Raw = msgspec.Raw()
    fs_layers: msgspec.Raw = msgspec.Raw()


def _kind(body: bytes, content_type: str, where: str) -> str:
    outline = _decoded(body, _Outline, where)
    if content_type.startswith(_SCHEMA_1) or outline.schema_version == 1 or bytes(outline.fs_layers):
        raise RegistryError(f"{where} is kept in the old format, schema 1; push it anew with a Docker of today")
    kind = outline.media_type or content_type
    if outline.media_type and content_type in MANIFEST_TYPES and content_type != outline.media_type:
        raise RegistryError(f"{where}: the registry says it is {content_type}, it says {outline.media_type[:100]}")
    if bytes(outline.manifests) and bytes(outline.layers):
        raise RegistryError(f"{where} could be one image or an index of several; it is not used")
    if kind in MANIFEST_TYPES and outline.schema_version == 2:
        return kind
    raise RegistryError(f"{where} is no image ({kind[:100]!r}); see the reference")


class _Sent(msgspec.Struct):
    """A manifest as sent; OCI's need not say its own type."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


def _decoded(body: bytes, document: type[_Document], where: str) -> _Document:
    try:
        return msgspec.json.decode(body, type=document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RegistryError(f"{where}: the registry's manifest is not understood ({str(error)[:200]})") from error


def _check(descriptors: tuple[Descriptor, ...], where: str) -> None:
    if len(descriptors) > _MOST_LAYERS:
        raise RegistryError(f"{where} lists {len(descriptors):,} parts; it is not used")
    for descriptor in descriptors:
        if not is_digest(descriptor.digest) or descriptor.size < 0:
            raise RegistryError(f"{where} names a part by a wrong digest or size ({descriptor.digest[:100]!r})")
