"""The archive formats: one reader each, all giving `Entry`. Found by extension in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import BinaryIO

from agent.packages.archives.entry import Entry, Refused
from agent.packages.archives.names import shown
from agent.packages.archives.tar import tar_entries
from agent.packages.archives.zip import nupkg_entries, zip_entries

__all__ = ["Entry", "Refused", "read_archive"]


def read_archive(file: BinaryIO, extension: str, entries: int) -> Iterator[Entry]:
    """The entries of an archive. Refused where its extension is not one that is read here, or where it says
    itself that it has more than so many entries (one that lies is found out as they come)."""
    reader = _READERS.get(extension.lower())
    if not reader:
        known = ", ".join(sorted(_READERS))
        what = f"the extension {shown(extension)}, which is not read here" if extension else "no extension"
        raise Refused(f"has {what}; archives end in {known}")
    return reader(file, entries)


_READERS: Mapping[str, Callable[[BinaryIO, int], Iterator[Entry]]] = {
    ".nupkg": nupkg_entries,
    **dict.fromkeys((".zip", ".whl", ".jar", ".war", ".ear"), zip_entries),
    ".tar": partial(tar_entries, compression=""),
    **dict.fromkeys((".tar.gz", ".tgz", ".tar.z"), partial(tar_entries, compression="gzip")),
    **dict.fromkeys((".tar.bz2", ".tar.bz", ".tbz"), partial(tar_entries, compression="bzip2")),
    **dict.fromkeys((".tar.xz", ".txz"), partial(tar_entries, compression="xz")),
    **dict.fromkeys((".tar.zst", ".tzst"), partial(tar_entries, compression="zstd")),
}
