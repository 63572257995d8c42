"""Writing an archive's entries into a new folder, and joining that with a folder that is there already."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator

from agent.packages.archives.entry import Entry, Refused
from agent.packages.archives.names import Names, check_link, entry_parts, folded, shown
from agent.packages.folders import EXECUTABLE_MODE, FILE_MODE, Folder
from agent.packages.limits import Budget

Parts = tuple[str, ...]


class TreeWriter:
    """Writes entries below `root`, a folder of its own. `keep_unix` keeps executable bits and links.

    Links are made when all files are written (`finish`): no entry can be written through one.
    """

    def __init__(self, root: Folder, budget: Budget, *, keep_unix: bool) -> None:
        self.files = 0
        self._budget = budget
        self._keep_unix = keep_unix
        self._names = Names()
        self._links: list[tuple[Parts, str]] = []
        self._now = time.time()
        self._open_folders = _OpenFolders(root)

    def add(self, entry: Entry) -> None:
        """Write one entry. Refused names it."""
        try:
            self._budget.count_entry(len(self._names))
            self._add(entry)
        except Refused as refused:
            raise Refused(refused.reason, entry=refused.entry or entry.name) from refused

    def finish(self) -> None:
        """Make the links."""
        for parts, target in self._links:
            self._open_folders.at(parts[:-1]).link(parts[-1], target)

    def close(self) -> None:
        self._open_folders.close()

    def _add(self, entry: Entry) -> None:
        limits = self._budget.limits
        parts = entry_parts(entry.name, depth=limits.depth, name_bytes=limits.name_bytes)
        if entry.kind == "folder":
            self._names.add_folder(parts)
            self._open_folders.at(parts)
        elif not parts:
            raise Refused("has no name")
        elif entry.kind == "symlink":
            self._add_link(entry, parts)
        else:
            chunks = self._linked_content(entry) if entry.kind == "hardlink" else entry.chunks()
            self._names.add_file(parts)
            self._write(entry, parts, chunks)
            self.files += 1

    def _add_link(self, entry: Entry, parts: Parts) -> None:
        if not self._keep_unix:
            return
        check_link(entry.target, depth=len(parts) - 1, name_bytes=self._budget.limits.name_bytes)
        self._names.add_link(parts)
        self._budget.count_link(len(entry.name) + len(entry.target))
        self._open_folders.at(parts[:-1])
        self._links.append((parts, entry.target))
        self.files += 1

    def _linked_content(self, entry: Entry) -> Iterator[bytes]:
        """A hard link becomes a copy of a file that this archive brought before."""
        limits = self._budget.limits
        target = entry_parts(entry.target, depth=limits.depth, name_bytes=limits.name_bytes)
        if not self._names.has_file(target):
            raise Refused(f"is a hard link to {shown(entry.target)}, which is no file earlier in the archive")
        return _read_all(self._open_folders.at(target[:-1]).read(target[-1]))

    def _write(self, entry: Entry, parts: Parts, chunks: Iterable[bytes]) -> None:
        descriptor = self._open_folders.at(parts[:-1]).create(parts[-1])
        try:
            for chunk in chunks:
                self._budget.spend(len(chunk))
                _write_all(descriptor, chunk)
            self._set_attributes(descriptor, entry)
        finally:
            os.close(descriptor)

    def _set_attributes(self, descriptor: int, entry: Entry) -> None:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, EXECUTABLE_MODE if entry.executable and self._keep_unix else FILE_MODE)
        if entry.modified is not None and 0 <= entry.modified <= self._now and os.utime in os.supports_fd:
            os.utime(descriptor, (entry.modified, entry.modified))


class _OpenFolders:
    """The folders from the root to where the last entry was written, open: the next is often close by."""

    def __init__(self, root: Folder) -> None:
        self._folders = [root]
        self._parts: list[str] = []

    def at(self, parts: Parts) -> Folder:
        common = 0
        for mine, wanted in zip(self._parts, parts, strict=False):
            if mine != wanted:
                break
            common += 1
        while len(self._parts) > common:
            self._folders.pop().close()
            self._parts.pop()
        for part in parts[common:]:
            self._folders.append(self._folders[-1].make(part))
            self._parts.append(part)
        return self._folders[-1]

    def close(self) -> None:
        """All but the root, which belongs to the caller."""
        self.at(())


class Conflict(Exception):  # noqa: N818  it says what it is
    """Why two trees cannot be joined: `name` is where, `reason` the rest of the sentence."""

    def __init__(self, *, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason


def join(source: Folder, target: Folder) -> None:
    """Move all of `source` into `target`; files replace files. Conflict, before anything moved, if that fails."""
    _check_join(source, target, ())
    _move_join(source, target)


def _check_join(source: Folder, target: Folder, parents: Parts) -> None:
    spelled = {folded(name): name for name in target.names()}
    for name in source.names():
        there = spelled.get(folded(name), name)
        where = "/".join((*parents, name))
        if there != name:
            raise Conflict(name=where, reason=f"differs only in spelling from {shown(there)}, which is there already")
        kinds = source.kind(name), target.kind(name)
        if kinds == ("folder", "folder"):
            inner, outer = source.enter(name), target.enter(name)
            try:
                _check_join(inner, outer, (*parents, name))
            finally:
                inner.close()
                outer.close()
        elif kinds[1] not in {None, "file", "link"} or (kinds[1] and kinds[0] == "folder"):
            raise Conflict(name=where, reason=f"is a {kinds[0]}, and a {kinds[1]} has its place already")


def _move_join(source: Folder, target: Folder) -> None:
    for name in list(source.names()):
        if source.kind(name) == "folder" and target.kind(name) == "folder":
            inner, outer = source.enter(name), target.enter(name)
            try:
                _move_join(inner, outer)
            finally:
                inner.close()
                outer.close()
        else:
            source.move(name, target)


def _read_all(descriptor: int) -> Iterator[bytes]:
    with os.fdopen(descriptor, "rb") as source:
        while piece := source.read(1 << 18):
            yield piece


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])
