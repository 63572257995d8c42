"""Retention in registries: what they hold of our images, and having them forget what nobody needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from agent.containers import SLOT
from agent.errors import DockwrightError, InputError, RegistryError
from agent.host import Credentials
from agent.images.layer_cache import LayerCache
from agent.images.opened import open_image
from agent.journal import Effects
from agent.labels import BASE, PACKAGE
from agent.registry import ImageReference, RegistryClient, find_credentials
from agent.retention.surplus import Surplus
from agent.retention.tags import Tagged, Unneeded, surplus_tags

Log = Callable[[str], None]
KIND = "registry image"


@dataclass(frozen=True, kw_only=True)
class Registries:
    """How registries are reached: `image_cache` is a folder, `credentials` go to `registry` only."""

    image_cache: Path
    registry: str = ""
    credentials: Credentials | None = None

    def client(self, registry: str) -> RegistryClient:
        given = self.credentials if registry == self.registry else None
        return RegistryClient(registry, find_credentials(registry, given))


def surplus_in_registries(known: Unneeded, registries: Registries, warn: Log) -> list[Surplus]:
    """What may go, repository by repository. A registry that cannot be asked is warned of, and left."""
    found: list[Surplus] = []
    for (registry, repository), references in _repositories(known).items():
        try:
            with closing(registries.client(registry)) as client:
                tags = client.tags(repository)
                if any(reference.tag in tags for reference in references):
                    read = [_read(repository, tag, client, registries) for tag in tags]
                    found += _described(surplus_tags([one for one in read if one], known))
        except (RegistryError, InputError) as error:
            warn(f"no images of {registry}/{repository} go: {error}")
    return found


def remove_from_registries(
    found: Iterable[Surplus], known_now: Callable[[], Unneeded], registries: Registries, journal: Effects, warn: Log
) -> Iterator[Surplus]:
    """Those that went. What has changed in the meantime stays; a registry that deletes nothing is asked but once."""
    refused: set[str] = set()
    for one in found:
        references = [ImageReference.parse(name) for name in one.names]
        first = references[0]
        if first.registry in refused or not _still(one, known_now()):
            continue
        try:
            with closing(registries.client(first.registry)) as client:
                if any(client.manifest_digest(each.repository, each.tag) != one.id for each in references):
                    warn(f"{', '.join(one.names)} stays: it leads to another image by now")
                    continue
                with journal.effect("prune", "remove-registry-image", f"{first.name}@{one.id}"):
                    client.delete_manifest(first.repository, one.id)
        except DockwrightError as error:
            warn(f"{', '.join(one.names)} stays: {error}")
            refused.add(first.registry)
            continue
        yield one


def _still(one: Surplus, known: Unneeded) -> bool:
    """Deployments begin at any time, and may need again what nobody did."""
    return all(known.has(name, one.id, is_release=True) for name in one.names)


def _repositories(known: Unneeded) -> dict[tuple[str, str], list[ImageReference]]:
    """Those in which something that was deployed may go; what is no reference cannot be there."""
    found: dict[tuple[str, str], list[ImageReference]] = {}
    for text in sorted({*(reference for reference, _ in known.deployed), *known.built}):
        try:
            reference = ImageReference.parse(text)
        except InputError:
            continue
        found.setdefault((reference.registry, reference.repository), []).append(reference)
    pushed = {ImageReference.parse(reference).name for reference, _ in known.deployed}
    return {where: references for where, references in found.items() if "/".join(where) in pushed}


def _read(repository: str, tag: str, client: RegistryClient, registries: Registries) -> Tagged | None:
    """None if it is gone by now. What is for several platforms, or cannot be understood, is not ours."""
    reference = ImageReference(registry=client.registry, repository=repository, tag=tag)
    digest = client.manifest_digest(repository, tag)
    if digest is None:
        return None
    try:
        image = open_image(reference.with_digest(digest), client, "", LayerCache(registries.image_cache))
    except (RegistryError, InputError):
        return Tagged(reference=str(reference), digest=digest, known=False)
    labels = image.config.labels
    return Tagged(
        reference=str(reference),
        digest=digest,
        base=labels.get(BASE, "").rpartition("@")[2],
        layers=tuple(layer.digest for layer in image.image.manifest.layers),
        is_release=PACKAGE in labels and BASE not in labels and SLOT not in labels,
    )


def _described(tags: list[Tagged]) -> list[Surplus]:
    by_digest: dict[str, list[Tagged]] = {}
    for tag in tags:
        by_digest.setdefault(tag.digest, []).append(tag)
    reason = "no rollback goes back so far, and no image that stays is made from it"
    return [
        Surplus(kind=KIND, slot="", names=tuple(tag.reference for tag in same), id=digest, reason=reason)
        for digest, same in by_digest.items()
    ]
