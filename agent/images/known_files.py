"""What a host's image was once found to hold, so that the next environment's layer need not look again.

An image's id is a hash of all that is in it, so what is kept under it stays true.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from agent.images.contents import Found, ImageFile
from agent.images.layer_cache import LayerCache
from agent.images.listing import Entry, Listing


def known_files(image: str, paths: Sequence[str], cache: LayerCache, look: Callable[[], Found]) -> Found:
    """The files at `paths` in the image of that id; `look` finds them, if it was never done or something is gone.

    Only a whole finding is kept: every path led to a file.
    """
    key = hashlib.sha256("\0".join((image, *paths)).encode("utf-8", "surrogateescape")).hexdigest()
    found = _remembered(f"host:{key}", cache)
    if found is None:
        found = look()
        if not found.unmatched:
            _keep(f"host:{key}", found, cache)
    return found


def _remembered(key: str, cache: LayerCache) -> Found | None:
    listing = cache.listing(key)
    if listing is None:
        return None
    names: dict[str, list[str]] = {}
    for entry in listing.entries:
        if entry.kind == "symlink":
            names.setdefault(entry.target, []).append(entry.path)
    files = []
    for entry in listing.entries:
        content = cache.content(listing.contents.get(entry.path, "")) if entry.kind == "file" else None
        if content is not None:
            attributes = listing.attributes(entry)
            found = tuple(names.get(entry.path, ()))
            files.append(ImageFile(path=entry.path, names=found, content=content, attributes=attributes))
        elif entry.kind == "file":
            return None
    return Found(files=tuple(files), folders={})


def _keep(key: str, found: Found, cache: LayerCache) -> None:
    """As a layer's listing: files at their places, and a link from every name that led to one."""
    listing = Listing(records=[{}])
    for file in found.files:
        about = file.attributes
        listing.entries.append(Entry(file.path, "file", about.mode, about.uid, about.gid))
        listing.entries += [Entry(name, "symlink", 0o777, 0, 0, target=file.path) for name in file.names]
    cache.keep(key, listing, {file.path: file.content for file in found.files})
