"""Which containers and images of a host may go.

Never taken: what runs, what `start` would bring back, the `keep` predecessors of each slot that a rollback could
go back to, the images of all of these, and what such an image was made from. Where the journal knows nothing of a
slot, or somebody gave an image another name, it stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from agent.containers import CONFIGURATION, DEPLOYMENT, SLOT
from agent.containers.labels import ROLE
from agent.host import ContainerHost, ContainerInfo, ImageInfo
from agent.journal import RunRecord
from agent.labels import BASE, PACKAGE
from agent.retention.needed import Needed, names_of, normal

ACTIVE = frozenset({"running", "restarting", "paused"})
SHARED = ""
"""The slot of a release's image: it belongs to all environments."""


class Surplus(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Something that may go. `names` are a container's name, or an image's tags, or its id where it has none."""

    kind: str
    slot: str
    names: tuple[str, ...]
    id: str
    reason: str
    size: int = 0


def images_of(host: ContainerHost) -> list[ImageInfo]:
    """Every image of ours: of deployments, of releases, and configured ones."""
    found = {image.id: image for label in (SLOT, PACKAGE, BASE) for image in host.images({label: ""})}
    return list(found.values())


def surplus(
    containers: Sequence[ContainerInfo],
    images: Sequence[ImageInfo],
    runs: Sequence[RunRecord],
    keep: int,
    built: Collection[str] = (),
) -> list[Surplus]:
    """What may go of all this; `runs` come newest first, `built` are the references that they built or pushed."""
    going = [*_surplus_containers(containers, Needed(runs, keep), keep)]
    gone = {one.id for one in going}
    staying = [found for found in containers if found.id not in gone]
    return [*going, *surplus_images(images, staying, runs, keep, built)]


def surplus_images(
    images: Sequence[ImageInfo],
    containers: Sequence[ContainerInfo],
    runs: Sequence[RunRecord],
    keep: int,
    built: Collection[str] = (),
    slots: Collection[str] | None = None,
) -> list[Surplus]:
    """The images alone, with all `containers` staying; of these `slots` only, if given."""
    needed = Needed(runs, keep)
    used = {found.image_id for found in containers}
    ours = names_of(runs, built, slots)
    going = {one.id: one for one in images if one.id not in used and _may_go(one, needed, ours, slots)}
    while kept := _bases(going.values(), [one for one in images if one.id not in going]):
        for identity in kept:
            del going[identity]
    return [_described(image) for image in going.values()]


def _surplus_containers(containers: Iterable[ContainerInfo], needed: Needed, keep: int) -> Iterator[Surplus]:
    for slot, members in _by_slot(containers).items():
        stopped = [found for found in members if found.state in ("exited", "dead") and ROLE not in found.labels]
        stopped.sort(key=lambda found: found.finished or found.created, reverse=True)
        serves = any(found.state in ACTIVE and ROLE not in found.labels for found in members)
        for found in stopped[keep if serves else keep + 1 :]:
            if (slot, found.labels.get(DEPLOYMENT, "")) in needed.deployments:
                continue
            reason = f"stopped, and more than {keep} are kept" if keep else "stopped, and none are to be kept"
            yield Surplus(kind="container", slot=slot, names=(found.name,), id=found.id, reason=reason)


def _by_slot(containers: Iterable[ContainerInfo]) -> dict[str, list[ContainerInfo]]:
    slots: dict[str, list[ContainerInfo]] = {}
    for found in containers:
        slots.setdefault(found.labels[SLOT].lower(), []).append(found)
    return slots


def _may_go(image: ImageInfo, needed: Needed, ours: Collection[str], slots: Collection[str] | None) -> bool:
    """Judged by itself: nothing needs it, and it has no name but those that we gave."""
    slot = image.labels.get(SLOT, "").lower()
    if slot:
        known = slot in (needed.slots if slots is None else slots)
    else:
        known = PACKAGE in image.labels and BASE not in image.labels and not needed.busy
    return known and not _is_needed(image, needed) and all(normal(tag) in ours for tag in image.tags)


def _is_needed(image: ImageInfo, needed: Needed) -> bool:
    return (
        not needed.references.isdisjoint(map(normal, image.tags))
        or not needed.digests.isdisjoint(digest.rpartition("@")[2] for digest in image.digests)
        or image.labels.get(CONFIGURATION, "") in needed.configurations
        or image.labels.get(DEPLOYMENT, "") in needed.unfinished
    )


def _bases(candidates: Iterable[ImageInfo], staying: Iterable[ImageInfo]) -> list[str]:
    """The ids of those that an image that stays was made from."""
    bases = {image.labels[BASE].rpartition("@")[2] for image in staying if BASE in image.labels}
    return [
        image.id
        for image in candidates
        if image.id in bases or any(digest.rpartition("@")[2] in bases for digest in image.digests)
    ]


def _described(image: ImageInfo) -> Surplus:
    slot = image.labels.get(SLOT, SHARED).lower()
    reason = (
        "no container has it, and no rollback goes back so far" if slot else "no image that stays is made from it"
    )
    names = image.tags or (image.id,)
    return Surplus(kind="image", slot=slot, names=names, id=image.id, reason=reason, size=image.size)
