"""Artifacts in an OCI registry: the first layer of a manifest, its extension from its title (as Calamari)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import msgspec

from agent.errors import InputError, PackageError, RegistryError
from agent.host import ByteProgress, Credentials
from agent.packages.feeds.feed import FeedPackage, FeedSettings, Fetched
from agent.packages.feeds.remote import bounded
from agent.packages.identity import EXTENSIONS, known_extension
from agent.packages.versions import Version, VersionFormat, parse_semver
from agent.packages.web import Expected, Patience
from agent.packages.web.destinations import look_up
from agent.packages.web.download import Partial
from agent.packages.web.failures import Passing
from agent.registry.blobs import read_blob
from agent.registry.documents import DOCKER_MANIFEST, OCI_MANIFEST, Descriptor, is_digest
from agent.registry.reference import ImageReference
from agent.registry.session import Session, pull_scope
from agent.registry.transport import Answer, Request

T = TypeVar("T")

MOST_PAGES = 1_000
LARGEST_MANIFEST = 4 << 20
TITLE = "org.opencontainers.image.title"
_CERTIFICATES = Path("/etc/docker/certs.d")
_BY_MEDIA_TYPE = {"tar+gzip": ".tar.gz", "tar": ".tar", "zip": ".zip"}
_NEXT = re.compile(r'<([^<>]+)>\s*;\s*rel="?next"?')


class OciFeed:
    """Repositories below `oci://registry/prefix`; tags that are versions, with `_` for `+`."""

    format: VersionFormat = "semver"

    def __init__(self, name: str, settings: FeedSettings, patience: Patience) -> None:
        self.name = name
        if "@" in settings.uri:
            raise PackageError(f"feed '{name}': its uri holds a user; give username and password by themselves")
        place = re.sub(r"^(oci|https)://", "", settings.uri).strip("/")
        self._registry, _, prefix = place.partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self.location = f"oci://{place}"
        self._settings = settings
        self._patience = patience
        self._repository("x")

    def versions(self, id: str, exact: Version | None = None) -> list[FeedPackage]:  # noqa: A002, ARG002  the field's own word
        repository = self._repository(id)
        with self._session() as session:
            return [
                package for tag in bounded(self.name, _tags(session, repository)) if (package := _package(id, tag))
            ]

    def similar(self, id: str) -> list[str]:  # noqa: A002, ARG002
        return []

    def details(self, package: FeedPackage) -> FeedPackage:
        """With the layer that is the package. A tag that was moved leads to another."""
        repository = self._repository(package.id)
        with self._session() as session:
            layer = _first_layer(session, repository, package.address)
            extension = _extension(layer, package)
        return replace(package, extension=extension, size=layer.size, stamp=layer.digest, hash=layer.digest)

    def fetch(self, package: FeedPackage, into: Path, progress: ByteProgress) -> Fetched:
        repository = self._repository(package.id)
        layer = Descriptor(media_type="application/octet-stream", digest=package.hash, size=package.size)
        where = f"{self.location}/{package.id}@{package.hash}"
        with (
            self._session() as session,
            Partial(into, Expected(size=package.size, hash=package.hash), progress) as partial,
        ):
            partial.begin(200, {}, where)
            for piece in read_blob(session, repository, layer):
                partial.write(piece, where)
            done = partial.finish(where)
        return Fetched(sha256=done.sha256, size=done.size)

    def _repository(self, id: str) -> str:  # noqa: A002
        """PackageError for what is no repository's name."""
        try:
            found = ImageReference.parse(f"{self._registry}/{self._prefix}{id}:x")
        except InputError as error:
            raise PackageError(f"feed '{self.name}': {id[:60]!a} at {self.location!a} is no repository") from error
        if self._registry not in {found.registry, "index.docker.io"}:
            raise PackageError(
                f"feed '{self.name}': {self.location!a} names no registry; it looks like oci://HOST:PORT"
            )
        return found.repository

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """The registry, for one errand; its errors become the feed's."""
        user = self._settings.username
        credentials = Credentials(username=user, password=self._settings.password) if user else None
        try:
            session = Session(
                self._registry,
                credentials,
                insecure=self._settings.insecure,
                certificates=_CERTIFICATES,
                pause=self._patience.pause,
            )
            look_up(session.origin, allow_local=self._settings.allow_local)
            try:
                yield session
            finally:
                session.close()
        except (RegistryError, PackageError, Passing) as error:
            raise PackageError(f"feed '{self.name}': {error}") from error
        except OSError as error:
            raise PackageError(
                f"feed '{self.name}': {self._registry}: its name is not known; check the uri"
            ) from error


class _TagList(msgspec.Struct, frozen=True):
    tags: list[str] | None = None


class _Manifest(msgspec.Struct, frozen=True):
    layers: list[Descriptor] = []


def _tags(session: Session, repository: str) -> Iterator[str]:
    path: str | None = f"/v2/{repository}/tags/list?n=1000"
    for _ in range(MOST_PAGES):
        if path is None:
            return
        answer = session.ask(Request(method="GET", path=path), pull_scope(repository))
        if answer.status == 404:
            return
        if answer.status != 200:
            raise session.refusal(answer, f"list the tags of {repository}")
        yield from _decoded(answer, _TagList, f"the tag list of {repository}").tags or ()
        following = _NEXT.search(answer.headers.get("link", ""))
        path = session.own_path(following[1]) if following else None


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
    layers = _decoded(answer, _Manifest, str(reference)).layers
    if not layers or not is_digest(layers[0].digest) or layers[0].size < 0:
        raise RegistryError(f"{reference} is no artifact: it has no layer; see the reference")
    return layers[0]


def _decoded(answer: Answer, type_: type[T], where: str) -> T:
    try:
        if len(answer.body) > LARGEST_MANIFEST:
            raise RegistryError(f"{where} is too large ({len(answer.body):,} bytes); it is not used")
        return msgspec.json.decode(answer.body, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RegistryError(f"{where}: the registry's answer is not understood ({str(error)[:160]})") from error


def _extension(layer: Descriptor, package: FeedPackage) -> str:
    titled = known_extension(layer.annotations.get(TITLE, "")).lower()
    typed = _BY_MEDIA_TYPE.get(re.split(r"[./]", layer.media_type)[-1], "")
    if (titled or typed) not in EXTENSIONS:
        raise RegistryError(
            f"{package.id} {package.version}: its first layer has no title that ends in a package's extension; push "
            f"it with the annotation {TITLE}"
        )
    return titled or typed
