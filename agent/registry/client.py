"""One registry's HTTP API, as much of it as a deployment needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING

from agent.errors import RegistryError
from agent.registry import blobs, manifests, tags, uploads
from agent.registry.documents import Descriptor
from agent.registry.manifests import RemoteImage
from agent.registry.session import Session
from agent.registry.transport import Answer, Request, Traffic

if TYPE_CHECKING:
    from agent.host import Credentials

_CERTIFICATES = Path("/etc/docker/certs.d")


class RegistryClient:
    """One registry, named as in references (`docker.io`, `myregistry:8080`). Close it after use.

    `Session` says how it is reached. Every method raises RegistryError for a registry that refuses, is gone, or
    is not what it claims to be.
    """

    def __init__(
        self,
        registry: str,
        credentials: Credentials | None = None,
        *,
        insecure: bool = False,
        certificates: Path = _CERTIFICATES,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self._session = Session(registry, credentials, insecure=insecure, certificates=certificates, pause=pause)

    @property
    def registry(self) -> str:
        return self._session.registry

    @property
    def traffic(self) -> Traffic:
        """What went over the wire so far."""
        return self._session.transport.traffic

    def ping(self) -> None:
        """RegistryError unless a registry answers and lets us in."""
        answer = self._session.ask(Request(method="GET", path="/v2/"), scope="")
        if answer.status == 401:
            raise self._session.refusal(answer, "log in")
        if answer.status != 200 or not _looks_like_a_registry(answer):
            raise RegistryError(
                f"{self._session.origin}: answers, but not as a registry ({answer.status}); see the address"
            )

    def can_write(self, repository: str) -> bool:
        """Whether we may push there."""
        return uploads.can_write(self._session, repository)

    def manifest_digest(self, repository: str, tag: str) -> str | None:
        """The digest that `tag` (or a digest) leads to, or None if the registry has no such thing."""
        return manifests.manifest_digest(self._session, repository, tag)

    def image(self, repository: str, selector: str, platform: str = "") -> RemoteImage | None:
        """The image behind a tag or digest; `platform` (`linux/amd64`) chooses where it is for several."""
        return manifests.read_image(self._session, repository, selector, platform)

    def put_manifest(self, repository: str, tag: str, manifest: bytes, media_type: str) -> str:
        """Push a manifest whose blobs are there already; its digest."""
        return manifests.put_manifest(self._session, repository, tag, manifest, media_type)

    def delete_manifest(self, repository: str, digest: str) -> bool:
        """Have the registry forget an image, with all its tags; False if it has none such."""
        return manifests.delete_manifest(self._session, repository, digest)

    def tags(self, repository: str) -> tuple[str, ...]:
        """All tags of a repository; none if there is no such repository."""
        return tags.list_tags(self._session, repository)

    def has_blob(self, repository: str, digest: str) -> bool:
        return blobs.has_blob(self._session, repository, digest)

    def read_blob(self, repository: str, descriptor: Descriptor) -> Iterator[bytes]:
        """Its bytes, verified: nobody must act on them before the last one has come."""
        return blobs.read_blob(self._session, repository, descriptor)

    def load_blob(self, repository: str, descriptor: Descriptor, largest: int) -> bytes:
        """All of one that has at most `largest` bytes."""
        return blobs.load_blob(self._session, repository, descriptor, largest)

    def upload_blob(self, repository: str, descriptor: Descriptor, content: uploads.Content) -> None:
        """Put a blob there; `content` gives its bytes, again from the beginning whenever it is called."""
        uploads.upload_blob(self._session, repository, descriptor, content)

    def copy_blob(self, source: str, target: str, descriptor: Descriptor) -> bool:
        """Have a blob of one repository in another; whether it was mounted, and not sent."""
        return uploads.copy_blob(self._session, source, target, descriptor)

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(self, *_failure: object) -> None:
        self.close()


def _looks_like_a_registry(answer: Answer) -> bool:
    return "docker-distribution-api-version" in answer.headers or answer.body.strip() in (b"{}", b"true")
