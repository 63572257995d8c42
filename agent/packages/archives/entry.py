"""One entry of an archive as its reader gives it: untrusted in every field."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

EntryKind = Literal["file", "folder", "symlink", "hardlink"]


class Refused(Exception):  # noqa: N818  it says what happened to the archive
    """Why an archive is not extracted, as the rest of a sentence that begins with its name (or its entry's)."""

    def __init__(self, reason: str, *, entry: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.entry = entry


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """`name` is decoded and uses `/`; nothing else about it was checked. `modified` in seconds since 1970.

    `chunks` gives the content of a file once, in pieces; it must be used before the next entry is asked for.
    `target` is where a link leads, as written in the archive.
    """

    name: str
    kind: EntryKind
    chunks: Callable[[], Iterator[bytes]]
    executable: bool = False
    modified: float | None = None
    target: str = ""
