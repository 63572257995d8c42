"""What differs between the files of two images, found with as few layers as can tell.

Layers that both have below are the same files; they are looked into only for what the layers above them touch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from agent.images.contents import Layers
from agent.images.listing import Entry, Listing, read_layer
from agent.images.view import Absent, Place, View

Difference = Literal["added", "removed", "changed"]

_MOST_DIFFERENCES: Final = 100_000


class FileState(msgspec.Struct, frozen=True, kw_only=True):
    """What an image has at a path. `size` in bytes; `sha256` of a file's content, in hex; `target` of a link."""

    kind: str
    mode: int
    uid: int
    gid: int
    size: int = 0
    sha256: str = ""
    target: str = ""


class FileDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A path that is not the same in both; `before` is None if it was added, `after` if it was removed."""

    path: str
    before: FileState | None
    after: FileState | None

    @property
    def kind(self) -> Difference:
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"

    @property
    def same_content(self) -> bool:
        """Whether only mode or owner differ."""
        return self.before is not None and self.after is not None and self.before.sha256 == self.after.sha256


def shared_layers(first: Layers, second: Layers) -> int:
    """How many layers, from the lowest on, are the same."""
    count = 0
    for one, other in zip(first.descriptors, second.descriptors, strict=False):
        if one.digest != other.digest:
            break
        count += 1
    return count


def compare_files(first: Layers, second: Layers) -> tuple[FileDifference, ...]:
    """Every path that differs, in order. A folder that one of them lacks stands for all that is in it.

    RegistryError for layers that cannot be read. Layers that their vendor keeps are not looked into.
    """
    shared = shared_layers(first, second)
    sides = (_Side(first, shared), _Side(second, shared))
    touched = {key: path for side in sides for key, path in side.touched.items()}
    for number in reversed(range(shared)):
        if not any(side.emptied for side in sides) and all(
            side.knows(path) for side in sides for path in touched.values()
        ):
            break
        listing = _listing(first, number)
        for side in sides:
            side.view.add(number, listing)
    for side in sides:
        side.view.finish()
    for side in sides:
        touched |= side.inside(sides[0].emptied | sides[1].emptied)
    differences = tuple(_differences(sides[0].view, sides[1].view, touched))
    return differences[:_MOST_DIFFERENCES]


class _Side:
    """One image, of which the layers above the shared ones are known."""

    def __init__(self, layers: Layers, shared: int) -> None:
        self.view = View(layers.os)
        self.touched: dict[str, str] = {}
        self.emptied: set[str] = set()
        for number in reversed(range(shared, len(layers.descriptors))):
            listing = _listing(layers, number)
            self.view.add(number, listing)
            self._note(listing)

    def knows(self, path: str) -> bool:
        place = self.view.at(path)
        return place == "absent" or (isinstance(place, Place) and place.entry is not None)

    def inside(self, folders: set[str]) -> dict[str, str]:
        """What this image has in folders that a layer begins anew."""
        return {self.view.key(place.path): place.path for folder in folders for place in self.view.below(folder)}

    def _note(self, listing: Listing) -> None:
        for entry in listing.entries:
            path = self.view.inner(entry.path) if entry.path else ""
            if path is None:
                continue
            if entry.kind == "opaque":
                self.emptied.add(path)
            elif path:
                self.touched[self.view.key(path)] = path


def _listing(layers: Layers, number: int) -> Listing:
    descriptor = layers.descriptors[number]
    if descriptor.is_foreign:
        layers.log(f"layer {number + 1} is kept by its vendor and not looked into")
        return Listing()
    known = layers.cache.listing(descriptor.digest)
    if known is None:
        layers.log(f"reading the layer {descriptor.digest[:19]} ({descriptor.size:,} bytes)")
        known, contents = read_layer(descriptor, layers.read(descriptor), lambda _path: False)
        layers.cache.keep(descriptor.digest, known, contents)
    return known


def _differences(first: View, second: View, touched: dict[str, str]) -> Iterator[FileDifference]:
    gone = ""
    for _, path in sorted(touched.items()):
        if gone and path.startswith(gone):
            continue
        before, after = _state(first.at(path)), _state(second.at(path))
        if before == after:
            continue
        if (before and before.kind == "folder" and after is None) or (
            after and after.kind == "folder" and not before
        ):
            gone = f"{path}/"
        yield FileDifference(path=path, before=before, after=after)


def _state(place: Place | Absent) -> FileState | None:
    if isinstance(place, str):
        return None
    entry = place.entry or Entry(place.path, "folder", 0o755, 0, 0)
    return FileState(
        kind=entry.kind,
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        size=entry.size,
        sha256=entry.sha256.hex(),
        target=entry.target,
    )
