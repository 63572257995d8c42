"""What one layer holds: its entries, and where the content of files that were wanted once is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Literal

import msgspec

from agent.errors import InputError
from agent.images.inflate import LayerError, inflated
from agent.images.layer import WHITEOUT, Attributes
from agent.images.layer_tar import TarEntry, tar_entries
from agent.registry import Descriptor

EntryKind = Literal["file", "folder", "symlink", "hardlink", "other", "whiteout", "opaque"]

MOST_FILES: Final = 10_000
VERSION: Final = 2

_LARGEST_FILE: Final = 64 * 1024 * 1024
_LARGEST_CONTENT: Final = 256 * 1024 * 1024
_OPAQUE: Final = ".wh..wh..opq"

_Known = dict[tuple[tuple[str, bytes], ...], int]


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One entry of a layer. A whiteout has the path of what it deletes, an opaque one that of its folder.

    `records` is an index into the listing's: most files share theirs. `size` and `sha256` (32 bytes) are those of
    a file's content.
    """

    path: str
    kind: EntryKind
    mode: int
    uid: int
    gid: int
    target: str = ""
    records: int = 0
    size: int = 0
    sha256: bytes = b""


class Listing(msgspec.Struct, kw_only=True):
    """A layer's entries in order; `contents` has the SHA-256 of the files whose content was kept, by path."""

    version: int = VERSION
    entries: list[Entry] = []
    records: list[dict[str, bytes]] = []
    contents: dict[str, str] = {}

    def attributes(self, entry: Entry) -> Attributes:
        records = {
            key: value.decode("utf-8", "surrogateescape") for key, value in self.records[entry.records].items()
        }
        return Attributes(mode=entry.mode, uid=entry.uid, gid=entry.gid, records=records)


def read_layer(
    descriptor: Descriptor, chunks: Iterator[bytes], wanted: Callable[[str], bool]
) -> tuple[Listing, dict[str, bytes]]:
    """A layer's listing and the wanted files' content, by path, once the layer's digest was seen to be right.

    InputError for wanted files that are too large to be configured.
    """
    budget = _Budget(wanted)
    listing = Listing()
    known: _Known = {}
    contents: dict[str, bytes] = {}
    try:
        for entry in tar_entries(inflated(chunks, descriptor.size), budget.wants):
            if entry.content is not None:
                contents[entry.path] = entry.content
            if (listed := _listed(entry, listing, known)) is not None:
                listing.entries.append(listed)
    except LayerError as error:
        raise LayerError(f"the layer {descriptor.digest} {error}") from error
    return listing, contents


class _Budget:
    def __init__(self, wanted: Callable[[str], bool]) -> None:
        self._wanted = wanted
        self._left = _LARGEST_CONTENT
        self._files = 0

    def wants(self, path: str, size: int) -> bool:
        if not self._wanted(path):
            return False
        self._left -= size
        self._files += 1
        if self._files > MOST_FILES:
            raise InputError(f"more than {MOST_FILES:,} files match the globs; name fewer, they are to be configured")
        if size > _LARGEST_FILE or self._left < 0:
            raise InputError(f"{path[:200]} ({size:,} bytes) is too much to configure; name fewer or other files")
        return True


def _listed(entry: TarEntry, listing: Listing, known: _Known) -> Entry | None:
    folder, slash, name = entry.path.rpartition("/")
    kind: EntryKind = entry.kind
    path, records = entry.path, _index(entry.records, listing, known)
    if name == _OPAQUE:
        kind, path = "opaque", folder
    elif name.startswith(WHITEOUT + WHITEOUT):
        return None  # a storage driver's own
    elif name.startswith(WHITEOUT):
        kind, path = "whiteout", f"{folder}{slash}{name.removeprefix(WHITEOUT)}"
    return Entry(path, kind, entry.mode, entry.uid, entry.gid, entry.target, records, entry.size, entry.sha256)


def _index(records: dict[str, bytes], listing: Listing, known: _Known) -> int:
    key = tuple(sorted(records.items()))
    if key not in known:
        known[key] = len(listing.records)
        listing.records.append(records)
    return known[key]
