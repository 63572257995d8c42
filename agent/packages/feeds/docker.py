"""Container images in a registry, as packages that are never downloaded: a tag is found, and pinned to its digest."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from agent.errors import PackageError
from agent.host import ByteProgress
from agent.packages.feeds.feed import FeedImage, FeedPackage, FeedSettings, Fetched
from agent.packages.feeds.repositories import Repositories
from agent.packages.patience import Patience
from agent.packages.versions import Version, VersionFormat, parse_octopus
from agent.registry.manifests import manifest_digest
from agent.registry.reference import DOCKER_HUB

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class DockerFeed:
    """Repositories below `https://registry/prefix`, one image a tag; `index.docker.io` is Docker's own.

    Without a user of its own, the feed goes by Docker's logins on this machine.
    """

    format: VersionFormat = "octopus"

    def __init__(self, name: str, settings: FeedSettings, patience: Patience) -> None:
        self.name = name
        self._repositories = Repositories(name, settings, patience, docker_logins=True)
        self.location = self._repositories.location

    def versions(self, id: str, exact: Version | None = None) -> list[FeedPackage]:  # noqa: A002  the field's own word
        """An exact version is asked for by its tag, since some registries list none, or too many."""
        if exact is not None and (tag := _tag(exact)):
            found = self._digest(id, tag)
            if found:
                return [self._package(id, exact, tag, found)]
        tags = self._repositories.tags(id)
        return [self._package(id, version, tag) for tag in tags if (version := _version(tag))]

    def similar(self, id: str) -> list[str]:  # noqa: A002, ARG002
        return []

    def details(self, package: FeedPackage) -> FeedPackage:
        """Pinned: whatever the tag means later, this deployment has what it means now."""
        if package.hash or package.image is None:
            return package
        digest = self._digest(package.id, package.image.tag)
        if digest is None:
            raise PackageError(
                f"feed '{self.name}': {package.image.text} is listed, but not there; push it again, or name another"
            )
        return self._package(package.id, package.version, package.image.tag, digest)

    def fetch(self, package: FeedPackage, into: Path, progress: ByteProgress) -> Fetched:  # noqa: ARG002
        raise PackageError(f"{package.id} {package.version} is a container image, which is no file to be fetched")

    def _package(self, id: str, version: Version, tag: str, digest: str = "") -> FeedPackage:  # noqa: A002
        reference = self._repositories.reference(id, tag)
        hub = reference.registry == DOCKER_HUB
        image = FeedImage(
            registry="index.docker.io" if hub else reference.registry,
            path=f"{self._repositories.prefix}{id}",
            tag=tag,
            reference=reference,
            credentials=self._repositories.credentials,
            insecure=self._repositories.insecure,
        )
        return replace(FeedPackage(id=id, version=version, extension=""), image=image, hash=digest)

    def _digest(self, id: str, tag: str) -> str | None:  # noqa: A002
        repository = self._repositories.repository(id)
        with self._repositories.session() as session:
            return manifest_digest(session, repository, tag)


def _tag(version: Version) -> str:
    """The tag that a version has; tags know no `+` (as Calamari)."""
    tag = version.text.replace("+", "_")
    return tag if _TAG.fullmatch(tag) else ""


def _version(tag: str) -> Version | None:
    try:
        return parse_octopus(tag)
    except PackageError:
        return None
