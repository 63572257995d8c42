"""References to container images: a tag, or the newest one of a range, pinned to the digest that it has now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.errors import PackageError
from agent.packages.feeds import Feed, FeedPackage
from agent.packages.resolution import PackageReference, resolve

if TYPE_CHECKING:
    from agent.host import Credentials
    from agent.registry import ImageReference


@dataclass(frozen=True, kw_only=True)
class ResolvedImage:
    """An image as it is in its registry. `reference` has the tag, `pinned` the digest instead.

    `image` is the reference as the server writes it (`index.docker.io/acme/web:1.4.0`), `registry` its first part.
    `name`, `id` and `feed` are those of the package reference, empty where a plain reference was given.
    """

    reference: ImageReference
    digest: str
    version: str
    image: str
    registry: str
    name: str = ""
    id: str = ""
    feed: str = ""
    credentials: Credentials | None = field(default=None, repr=False)
    """The feed's own; None leaves it to Docker's logins."""
    insecure: bool = False

    @property
    def pinned(self) -> ImageReference:
        return self.reference.with_digest(self.digest)


def resolve_image(wanted: PackageReference | str, feeds: Mapping[str, Feed]) -> ResolvedImage:
    """The image of a package reference, or of a plain `registry/repository:tag`; nothing is downloaded.

    PackageError for one that is not there, InputError for what is no reference, RegistryError for a registry that
    refuses.
    """
    if isinstance(wanted, str):
        return _plain(wanted)
    _, package = resolve(wanted, feeds)
    return pinned(wanted, package)


def pinned(reference: PackageReference, package: FeedPackage) -> ResolvedImage:
    """The image that a reference was resolved to. PackageError where it is a package, or has another digest."""
    image = package.image
    if image is None:
        raise PackageError(
            f"package {reference.name}: {package.id} {package.version} is a package with files; a container image is "
            "needed, from a feed of type docker"
        )
    if reference.extract_to:
        raise PackageError(f"package {reference.name}: {image.text} is an image, so it takes no extract-to")
    if reference.sha256 and f"sha256:{reference.sha256.lower()}" != package.hash:
        raise PackageError(f"{image.text} is {package.hash}; sha256 {reference.sha256} is asked for; it is not used")
    return ResolvedImage(
        reference=image.reference,
        digest=package.hash,
        version=package.version.text,
        image=image.text,
        registry=image.registry,
        name=reference.name,
        id=package.id,
        feed=reference.feed,
        credentials=image.credentials,
        insecure=image.insecure,
    )


def _plain(text: str) -> ResolvedImage:
    from agent.registry import ImageReference, RegistryClient, find_credentials

    reference = ImageReference.parse(text)
    with RegistryClient(reference.registry, find_credentials(reference.registry)) as client:
        digest = client.manifest_digest(reference.repository, reference.selector)
    if digest is None:
        raise PackageError(f"{reference} is not in its registry; check the name and the tag, or push it")
    return ResolvedImage(
        reference=reference,
        digest=digest,
        version=reference.tag or reference.selector,
        image=text,
        registry=reference.registry,
    )
