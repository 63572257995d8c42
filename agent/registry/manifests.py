"""Manifests: looked up, read down to one platform, and pushed under a tag."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import msgspec

from agent.errors import RegistryError
from agent.registry.documents import MANIFEST_TYPES, Manifest, is_digest, read_document
from agent.registry.platforms import choose
from agent.registry.reference import ImageReference
from agent.registry.session import Session, delete_scope, pull_scope, push_scope
from agent.registry.transport import Answer, Request

_LARGEST_MANIFEST = 4 * 1024 * 1024
_DEEPEST_INDEX = 3


class RemoteImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image in a registry; `digest` is that of `body`, the manifest's bytes."""

    reference: ImageReference
    digest: str
    manifest: Manifest
    body: bytes


def manifest_digest(session: Session, repository: str, selector: str) -> str | None:
    """The digest that a tag (or a digest) leads to, or None if the registry has no such thing."""
    reference = session.reference(repository, selector)
    request = _lookup(reference, "HEAD")
    answer = session.ask(request, pull_scope(repository))
    if answer.status == 200 and "docker-content-digest" not in answer.headers:
        answer = session.ask(replace(request, method="GET"), pull_scope(repository))
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise session.refusal(answer, f"look up {reference}")
    return _said_digest(answer, reference) or _computed("sha256", answer.body)


def read_image(session: Session, repository: str, selector: str, platform: str = "") -> RemoteImage | None:
    """The image behind a tag or digest, None if there is none. `platform` chooses where it is for several.

    RegistryError for what is no image, is not what its digest says, or is kept in a way that has gone by.
    """
    for _ in range(_DEEPEST_INDEX + 1):
        reference = session.reference(repository, selector)
        answer = session.ask(_lookup(reference, "GET"), pull_scope(repository))
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise session.refusal(answer, f"read {reference}")
        digest = _checked_digest(answer, reference)
        document = read_document(answer.body, answer.headers.get("content-type", ""), str(reference))
        if isinstance(document, Manifest):
            return RemoteImage(reference=reference, digest=digest, manifest=document, body=answer.body)
        selector = choose(document.manifests, platform, str(reference)).digest
    raise RegistryError(f"{session.registry}/{repository}: its index leads to other indexes only; it is not used")


def put_manifest(session: Session, repository: str, selector: str, manifest: bytes, media_type: str) -> str:
    """Push a manifest whose blobs are there already, under a tag or its digest; its digest."""
    reference = session.reference(repository, selector)
    request = Request(method="PUT", path=_path(reference), headers={"Content-Type": media_type}, body=manifest)
    answer = session.ask(request, push_scope(repository))
    if answer.status not in (200, 201, 202):
        raise session.refusal(answer, f"push {reference}")
    digest = _computed("sha256", manifest)
    if answer.headers.get("docker-content-digest", digest) != digest:
        raise RegistryError(f"{reference}: the registry took another manifest than the one pushed; push again")
    return digest


def delete_manifest(session: Session, repository: str, digest: str) -> bool:
    """Have the registry forget an image, with all tags that lead to it; False if it knew none such.

    RegistryError for a registry that deletes nothing.
    """
    reference = session.reference(repository, digest)
    answer = session.ask(Request(method="DELETE", path=_path(reference)), delete_scope(repository))
    if answer.status in (400, 405, 501):
        raise RegistryError(
            f"{session.registry} deletes no images ({answer.status}); have it do so "
            "(REGISTRY_STORAGE_DELETE_ENABLED=true, where it is the distribution project's), or ask for none to go"
        )
    if answer.status not in (200, 202, 204, 404):
        raise session.refusal(answer, f"delete {reference}")
    return answer.status != 404


def _lookup(reference: ImageReference, method: str) -> Request:
    return Request(method=method, path=_path(reference), headers={"Accept": ", ".join(MANIFEST_TYPES)})


def _path(reference: ImageReference) -> str:
    return f"/v2/{reference.repository}/manifests/{reference.selector}"


def _said_digest(answer: Answer, reference: ImageReference) -> str:
    """What the registry says that it is, "" if it says nothing."""
    digest = answer.headers.get("docker-content-digest", "")
    if digest and (not is_digest(digest) or (reference.digest and digest != reference.digest)):
        raise RegistryError(f"{reference}: the registry answers with a wrong digest ({digest[:100]!r})")
    return digest


def _checked_digest(answer: Answer, reference: ImageReference) -> str:
    if len(answer.body) > _LARGEST_MANIFEST:
        raise RegistryError(f"{reference}: its manifest is too large ({len(answer.body):,} bytes); it is not used")
    expected = reference.digest or _said_digest(answer, reference)
    _said_digest(answer, reference)
    computed = _computed(expected.partition(":")[0] or "sha256", answer.body)
    if expected and computed != expected:
        raise RegistryError(f"{reference}: the registry answers with a wrong digest: the manifest is {computed}")
    return computed


def _computed(algorithm: str, body: bytes) -> str:
    return f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"
