"""An image's files as its layers give them together, put together from the top down.

Asked while only the upper layers are known, it can say "not known yet"; so the lower ones need not be read where
the upper ones settle everything. Paths are compared without case in Windows images.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from agent.images.layer import WINDOWS_FILES, Attributes
from agent.images.listing import Entry, Listing

if TYPE_CHECKING:
    from agent.host import OperatingSystem

_MOST_LINKS: Final = 40

Absent = Literal["unknown", "absent"]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where something of the image is: `path` as spelled in the image, `layer` counted from the lowest.

    `entry` is None for a folder that so far is only known by what is in it.
    """

    path: str
    layer: int
    entry: Entry | None

    @property
    def is_folder(self) -> bool:
        return self.entry is None or self.entry.kind == "folder"

    @property
    def is_file(self) -> bool:
        return self.entry is not None and self.entry.kind in ("file", "hardlink")


class View:
    """The files of an image of which layers were added, the highest first."""

    def __init__(self, os: OperatingSystem) -> None:
        self._windows = os == "windows"
        self._places: dict[str, Place] = {}
        self._gone: set[str] = set()
        self._closed: set[str] = set()
        self._listings: dict[int, Listing] = {}
        self._complete = False

    def add(self, layer: int, listing: Listing) -> None:
        """The next lower layer. What a layer deletes is deleted from those below it only."""
        self._listings[layer] = listing
        hidden: dict[str, bool] = {"": "" in self._closed}
        gone: set[str] = set()
        closed: set[str] = set()
        for entry in listing.entries:
            path = self.inner(entry.path) if entry.path else ""
            if path is None:
                continue
            key = self.key(path)
            if entry.kind == "whiteout":
                gone.add(key)
            elif entry.kind == "opaque":
                closed.add(key)
            else:
                if entry.kind != "folder":
                    closed.add(key)
                self._take(key, Place(path=path, layer=layer, entry=entry), hidden)
        self._gone |= gone
        self._closed |= closed

    def finish(self) -> None:
        """All layers were added: what is not known now is absent."""
        self._complete = True

    def find(self, path: str) -> Place | Absent:
        """The file or folder at a path, links followed as a program in a container would follow them."""
        waiting = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        at = ""
        links = 0
        while waiting:
            part = waiting.pop()
            if part == "..":
                at = at.rpartition("/")[0]
                continue
            place = self._at(f"{at}/{part}" if at else part)
            if isinstance(place, str):
                return place
            if place.entry is not None and place.entry.kind == "symlink":
                links += 1
                target = self._target(place.entry.target)
                at = "" if target.startswith("/") else at
                waiting += reversed([step for step in target.split("/") if step not in ("", ".")])
                if links > _MOST_LINKS or len(waiting) > 4_096:
                    return "absent"
                continue
            if waiting and not place.is_folder:
                return "absent"
            at = place.path
        return self._at(at) if at else Place(path="", layer=0, entry=None)

    def at(self, path: str) -> Place | Absent:
        """What is at a path itself: no link is followed."""
        return self._at(path)

    def below(self, folder: str) -> Iterator[Place]:
        """All that is known to be in a folder, at any depth."""
        prefix = f"{self.key(folder)}/" if folder else ""
        for key, place in self._places.items():
            if key.startswith(prefix):
                yield place

    def files(self) -> Iterator[str]:
        """The paths of all files, and of links, which may lead to files."""
        for place in self._places.values():
            if place.entry is not None and place.entry.kind in ("file", "hardlink", "symlink"):
                yield place.path

    def folders(self, path: str) -> Iterator[tuple[str, Attributes | None]]:
        """The folders above a path that `find` gave, with what the image says of them."""
        while path := path.rpartition("/")[0]:
            place = self._places[self.key(path)]
            yield place.path, self.attributes(place)

    def attributes(self, place: Place) -> Attributes | None:
        return None if place.entry is None else self._listings[place.layer].attributes(place.entry)

    def key(self, path: str) -> str:
        return path.lower() if self._windows else path

    def inner(self, path: str) -> str | None:
        """The path in the image of an entry of a layer's tar."""
        if not self._windows:
            return path
        root, _, rest = path.partition("/")
        return rest if root.lower() == WINDOWS_FILES.lower() and rest else None

    def _take(self, key: str, place: Place, hidden: dict[str, bool]) -> None:
        folder = key.rpartition("/")[0]
        if key in self._gone or self._hides(folder, hidden):
            return
        known = self._places.get(key)
        if known is None or (known.entry is None and place.is_folder) or known.layer == place.layer:
            self._places[key] = place
        self._imply(place, folder)

    def _imply(self, place: Place, key: str) -> None:
        """Folders need no entry of their own."""
        path = place.path.rpartition("/")[0]
        while path and key not in self._places:
            self._places[key] = Place(path=path, layer=place.layer, entry=None)
            path, key = path.rpartition("/")[0], key.rpartition("/")[0]

    def _hides(self, folder: str, known: dict[str, bool]) -> bool:
        """Whether higher layers keep what is in a folder of a lower one out of sight."""
        above: list[str] = []
        at = folder
        while at not in known:
            above.append(at)
            at = at.rpartition("/")[0]
        hidden = known[at]
        for at in reversed(above):
            hidden = known[at] = hidden or at in self._gone or at in self._closed
        return hidden

    def _at(self, path: str) -> Place | Absent:
        key = self.key(path)
        place = self._places.get(key)
        if place is not None:
            return place
        if self._complete or key in self._gone or self._hides(key.rpartition("/")[0], {"": "" in self._closed}):
            return "absent"
        return "unknown"

    def _target(self, target: str) -> str:
        if not self._windows:
            return target
        target = target.replace("\\", "/").removeprefix("/??/").removeprefix("//?/")
        return target[2:] if target[1:2] == ":" else target
