"""Artifacts in an OCI registry: the first layer of a manifest, its extension from its title (as Calamari)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import msgspec

from agent.errors import PackageError, RegistryError
from agent.host import ByteProgress
from agent.packages.feeds.feed import FeedPackage, FeedSettings, Fetched
from agent.packages.feeds.repositories import Repositories, decoded
from agent.packages.identity import EXTENSIONS, known_extension
from agent.packages.versions import Version, VersionFormat, parse_semver
from agent.packages.web import Expected, Patience
from agent.packages.web.download import Partial
from agent.packages.web.failures import Passing
from agent.registry.blobs import read_blob
from agent.registry.documents import DOCKER_MANIFEST, OCI_MANIFEST, Descriptor, is_digest
from agent.registry.session import Session, pull_scope
from agent.registry.transport import Request

TITLE = "org.opencontainers.image.title"
_BY_MEDIA_TYPE = {"tar+gzip": ".tar.gz", "tar": ".tar", "zip": ".zip"}


class OciFeed:
    """Repositories below `oci://registry/prefix`; tags that are versions, with `_` for `+`."""

    format: VersionFormat = "semver"

    def __init__(self, name: str, settings: FeedSettings, patience: Patience) -> None:
        self.name = name
        self._repositories = Repositories(name, settings, patience)
        self.location = self._repositories.location

    def versions(self, id: str, exact: Version | None = None) -> list[FeedPackage]:  # noqa: A002, ARG002  the field's own word
        return [package for tag in self._repositories.tags(id) if (package := _package(id, tag))]

    def similar(self, id: str) -> list[str]:  # noqa: A002, ARG002
        return []

    def details(self, package: FeedPackage) -> FeedPackage:
        """With the layer that is the package. A tag that was moved leads to another."""
        repository = self._repositories.repository(package.id)
        with self._repositories.session() as session:
            layer = _first_layer(session, repository, package.address)
            extension = _extension(layer, package)
        return replace(package, extension=extension, size=layer.size, stamp=layer.digest, hash=layer.digest)

    def fetch(self, package: FeedPackage, into: Path, progress: ByteProgress) -> Fetched:
        repository = self._repositories.repository(package.id)
        layer = Descriptor(media_type="application/octet-stream", digest=package.hash, size=package.size)
        where = f"{self.location}/{package.id}@{package.hash}"
        try:
            with (
                self._repositories.session() as session,
                Partial(into, Expected(size=package.size, hash=package.hash), progress) as partial,
            ):
                partial.begin(200, {}, where)
                for piece in read_blob(session, repository, layer):
                    partial.write(piece, where)
                done = partial.finish(where)
        except Passing as passing:
            raise PackageError(f"feed '{self.name}': {where}: {passing.reason}; try again later") from passing
        return Fetched(sha256=done.sha256, size=done.size)


class _Manifest(msgspec.Struct, frozen=True):
    layers: list[Descriptor] = []


def _package(id: str, tag: str) -> FeedPackage | None:  # noqa: A002
    try:
        version = parse_semver(tag.replace("_", "+"))
    except PackageError:
        return None
    return FeedPackage(id=id, version=version, extension="", address=tag)


def _first_layer(session: Session, repository: str, tag: str) -> Descriptor:
    reference = session.reference(repository, tag)
    headers = {"Accept": f"{OCI_MANIFEST}, {DOCKER_MANIFEST}"}
    request = Request(method="GET", path=f"/v2/{repository}/manifests/{reference.selector}", headers=headers)
    answer = session.ask(request, pull_scope(repository))
    if answer.status != 200:
        raise session.refusal(answer, f"read {reference}")
    said = answer.headers.get("docker-content-digest", "")
    if said.startswith("sha256:") and said != f"sha256:{hashlib.sha256(answer.body).hexdigest()}":
        raise RegistryError(f"{reference}: the registry sent something else than this digest says; it is not used")
    layers = decoded(answer, _Manifest, str(reference)).layers
    if not layers or not is_digest(layers[0].digest) or layers[0].size < 0:
        raise RegistryError(f"{reference} is no artifact: it has no layer; see the reference")
    return layers[0]


def _extension(layer: Descriptor, package: FeedPackage) -> str:
    titled = known_extension(layer.annotations.get(TITLE, "")).lower()
    typed = _BY_MEDIA_TYPE.get(re.split(r"[./]", layer.media_type)[-1], "")
    if (titled or typed) not in EXTENSIONS:
        raise RegistryError(
            f"{package.id} {package.version}: its first layer has no title that ends in a package's extension; push "
            f"it with the annotation {TITLE}"
        )
    return titled or typed
