"""Files of an image, read out of its layers in the registry: no engine, no pull, and only the layers needed.

A layer is read from its beginning to its end once, since only there its digest is known to be right; its listing
and the wanted contents are then kept by that digest, so that the next environment's configuration of the same
release reads no layer at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from agent.errors import InputError, RegistryError, StorageError
from agent.images.layer import Attributes
from agent.images.layer_cache import LayerCache
from agent.images.layer_tar import inner_path
from agent.images.listing import MOST_FILES, Listing, read_layer
from agent.images.view import Place, View
from agent.registry import Descriptor

if TYPE_CHECKING:
    from agent.host import OperatingSystem

_MAGIC: Final = re.compile(r"[*?\[{]")
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f\\:]")


class Layers(msgspec.Struct, frozen=True, kw_only=True):
    """An image's layers, the lowest first, and how to read one. `log` is told what is read."""

    descriptors: tuple[Descriptor, ...]
    read: Callable[[Descriptor], Iterator[bytes]]
    os: OperatingSystem
    cache: LayerCache
    log: Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class ImageFile:
    """A file of the image: `path` is where it really is, `names` are where it was found, links not followed."""

    path: str
    names: tuple[str, ...]
    content: bytes = field(repr=False)
    attributes: Attributes


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The files, by path in order; what the image says of the folders above them; globs that fit nothing."""

    files: tuple[ImageFile, ...]
    folders: Mapping[str, Attributes]
    unmatched: tuple[str, ...] = ()


def find_files(layers: Layers, globs: Sequence[str], compile_glob: Callable[[str], re.Pattern[str]]) -> Found:
    """The image's files that match a glob, relative to the image's root.

    InputError for more, or larger, than can be meant. Layers of other registries are passed over.
    """
    reader = _Reader(layers, [_Glob(glob, compile_glob, layers.os) for glob in globs])
    reader.read_until_known()
    names: dict[str, list[str]] = {}
    unmatched = []
    for glob in reader.globs:
        matched = list(glob.matches(reader.view))
        for name, place in matched:
            found = names.setdefault(place.path, [])
            found += [name] if name not in found else []
        unmatched += [] if matched else [glob.text]
    if len(names) > MOST_FILES:
        raise InputError(f"the globs match {len(names):,} files of the image; name fewer, they are to be configured")
    files = tuple(reader.files(names))
    known = dict(pair for path in names for pair in reader.view.folders(path))
    return Found(
        files=files,
        folders={path: attributes for path, attributes in sorted(known.items()) if attributes is not None},
        unmatched=tuple(unmatched),
    )


class _Glob:
    """One glob; one without wildcards is a path, which links on the way are followed for."""

    def __init__(self, text: str, compile_glob: Callable[[str], re.Pattern[str]], os: OperatingSystem) -> None:
        self.text = text
        self.is_path = not _MAGIC.search(text)
        parts = text.split("/")
        fixed = next((index for index, part in enumerate(parts) if _MAGIC.search(part)), len(parts))
        self._folder = "/".join(parts[:fixed])
        self._fold = str.lower if os == "windows" else str
        self._expression = compile_glob(self._fold(text))

    def fits(self, path: str) -> bool:
        return self._expression.match(self._fold(path)) is not None

    def matches(self, view: View) -> Iterator[tuple[str, Place]]:
        """Each file's name, as the glob spells it, and its place."""
        if self.is_path:
            place = view.find(self.text)
            if isinstance(place, Place) and place.is_file:
                yield self.text, place
            return
        folder = view.find(self._folder)
        if isinstance(folder, Place) and folder.is_folder:
            yield from self._below(folder.path, view)

    def _below(self, folder: str, view: View) -> Iterator[tuple[str, Place]]:
        prefix = f"{folder}/" if folder else ""
        for path in view.files():
            if not view.key(path).startswith(view.key(prefix)):
                continue
            name = f"{self._folder}/{path[len(prefix) :]}" if self._folder else path
            if self.fits(name):
                place = view.find(path)
                if isinstance(place, Place) and place.is_file:
                    yield name, place


class _Reader:
    def __init__(self, layers: Layers, globs: list[_Glob]) -> None:
        self.globs = globs
        self.view = View(layers.os)
        self._layers = layers
        self._listings: dict[int, Listing] = {}

    def read_until_known(self) -> None:
        """Layer by layer from the top, until all is known that was asked for, at the latest to the lowest."""
        for number in reversed(range(len(self._layers.descriptors))):
            if all(self._is_known(glob) for glob in self.globs):
                return
            descriptor = self._layers.descriptors[number]
            if descriptor.is_foreign:
                self._layers.log(f"layer {number + 1} is kept by its vendor and not looked into")
                continue
            self._listings[number] = self._listing(descriptor)
            self.view.add(number, self._listings[number])
        self.view.finish()

    def files(self, names: Mapping[str, list[str]]) -> Iterator[ImageFile]:
        places = {path: place for path in sorted(names) if isinstance(place := self.view.find(path), Place)}
        contents = self._contents(places.values())
        for path, place in places.items():
            attributes = self.view.attributes(place)
            assert attributes is not None
            for name in names[path]:
                _require_fit(name)
            yield ImageFile(path=path, names=tuple(names[path]), content=contents[path], attributes=attributes)

    def _is_known(self, glob: _Glob) -> bool:
        """A path is, once found with all that is to be known of the folders above it."""
        if not glob.is_path:
            return False
        place = self.view.find(glob.text)
        if isinstance(place, str):
            return place == "absent"
        return not place.is_folder and all(known is not None for _, known in self.view.folders(place.path))

    def _listing(self, descriptor: Descriptor) -> Listing:
        known = self._layers.cache.listing(descriptor.digest)
        if known is None:
            known = self._read(descriptor, Listing(), self._is_wanted)
        return known

    def _is_wanted(self, path: str) -> bool:
        inner = self.view.inner(path)
        return inner is not None and any(glob.fits(inner) for glob in self.globs)

    def _read(self, descriptor: Descriptor, known: Listing, wanted: Callable[[str], bool]) -> Listing:
        self._layers.log(f"reading the layer {descriptor.digest[:19]} ({descriptor.size:,} bytes)")
        listing, contents = read_layer(descriptor, self._layers.read(descriptor), wanted)
        listing.contents = known.contents
        self._layers.cache.keep(descriptor.digest, listing, contents)
        return listing

    def _contents(self, places: Iterable[Place]) -> dict[str, bytes]:
        """By path. What no earlier reading kept is read now, each layer once."""
        sources = {place.path: (place.layer, self._source(place)) for place in places}
        missing: dict[int, set[str]] = {}
        for layer, source in sources.values():
            if self._kept(layer, source) is None:
                missing.setdefault(layer, set()).add(source)
        for layer, wanted in missing.items():
            descriptor = self._layers.descriptors[layer]
            self._listings[layer] = self._read(descriptor, self._listings[layer], wanted.__contains__)
        return {path: self._required(layer, source) for path, (layer, source) in sources.items()}

    def _source(self, place: Place) -> str:
        """The entry of the layer that has a file's content: a hard link shares that of another, earlier one."""
        listing = self._listings[place.layer]
        assert place.entry is not None
        if place.entry.kind == "file":
            return place.entry.path
        files = {entry.path: entry.target for entry in listing.entries if entry.kind == "file"}
        links = {entry.path: entry.target for entry in listing.entries if entry.kind == "hardlink"}
        at = place.entry.path
        for _ in range(len(links)):
            at = inner_path(links.get(at, "")) or ""
            if at in files:
                return at
        raise RegistryError(f"{place.path} is a hard link to nothing in its layer; push the image anew")

    def _kept(self, layer: int, source: str) -> bytes | None:
        sha256 = self._listings[layer].contents.get(source)
        return None if sha256 is None else self._layers.cache.content(sha256)

    def _required(self, layer: int, source: str) -> bytes:
        content = self._kept(layer, source)
        if content is None:
            raise StorageError(f"the cache lost {source} while it was used; try again")
        return content


def _require_fit(name: str) -> None:
    if _UNFIT.search(name) or any(len(part.encode()) > 255 for part in name.split("/")):
        raise InputError(f"{name[:200]!r} has a name that not every system can hold; leave it out of the globs")
