"""A build context as a stream of tar: nothing is copied to disk first.

Sorted, owned by root and without names of users, so that the same tree gives the same bytes. Times of
change stay (to the second): the engine's cache does not look at them, but web servers make ETags of them.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.engine.ignore import Ignore, Matches
from agent.errors import BuildError

_CHUNK = 256 * 1024
_NEVER_IGNORED = ".dockerignore"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A path of the context: `name` with forward slashes and relative to it."""

    name: str
    path: str
    status: os.stat_result


def stream_context(folder: Path, dockerfile: str) -> Iterator[bytes]:
    """The tar of `folder` without what its .dockerignore excludes, in chunks of about 256 KiB.

    Links are sent as links and never followed; sockets, pipes and devices are left out. BuildError for what
    cannot be read, or changes while it is sent.
    """
    buffer = bytearray()
    for entry in context_entries(folder, dockerfile):
        for part in _entry_bytes(entry):
            buffer += part
            if len(buffer) >= _CHUNK:
                yield bytes(buffer)
                buffer.clear()
    yield bytes(buffer) + bytes(2 * tarfile.BLOCKSIZE)


def context_entries(folder: Path, dockerfile: str) -> Iterator[Entry]:
    """What the context is made of, without what its .dockerignore excludes. BuildError as above."""
    return entries(folder, Ignore(_read_ignore(folder)), dockerfile)


def single_file_context(name: str, content: bytes) -> bytes:
    """The tar of a context that is one file."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def entries(folder: Path, ignore: Ignore, dockerfile: str) -> Iterator[Entry]:
    """What belongs to the context, in order; the Dockerfile and .dockerignore always do, as in Docker."""
    kept = {_NEVER_IGNORED, dockerfile.replace("\\", "/").removeprefix("./")}
    waiting: list[tuple[str, Matches]] = [("", ignore.at_root)]
    while waiting:
        above, above_matches = waiting.pop()
        folders: list[tuple[str, Matches]] = []
        for found in _listed(folder / above):
            name = f"{above}/{found.name}" if above else found.name
            matches = ignore.matches(name, above_matches)
            excluded = ignore.excludes(matches) and name not in kept
            status = found.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode) and (
                not excluded or ignore.needs_descent(name) or any(k.startswith(name + "/") for k in kept)
            ):
                folders.append((name, matches))
            if not excluded:
                yield Entry(name=name, path=found.path, status=status)
        waiting += reversed(folders)


def _read_ignore(folder: Path) -> str:
    try:
        return (folder / _NEVER_IGNORED).read_bytes()[:1_000_000].decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise BuildError(f"{folder / _NEVER_IGNORED}: cannot be read ({error.strerror})") from error


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise BuildError(f"{folder}: the build context cannot be read ({error.strerror})") from error


def _entry_bytes(entry: Entry) -> Iterator[bytes]:
    mode = entry.status.st_mode
    if stat.S_ISREG(mode):
        yield _header(entry, tarfile.REGTYPE, size=entry.status.st_size)
        yield from _content(entry)
        yield bytes(-entry.status.st_size % tarfile.BLOCKSIZE)
    elif stat.S_ISDIR(mode):
        yield _header(entry, tarfile.DIRTYPE)
    elif stat.S_ISLNK(mode):
        yield _header(entry, tarfile.SYMTYPE, link=_link(entry))


def _header(entry: Entry, kind: bytes, *, size: int = 0, link: str = "") -> bytes:
    info = tarfile.TarInfo(entry.name)
    info.type = kind
    info.size = size
    info.linkname = link
    info.mode = stat.S_IMODE(entry.status.st_mode)
    info.mtime = max(0, int(entry.status.st_mtime))
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _content(entry: Entry) -> Iterator[bytes]:
    left = entry.status.st_size
    try:
        descriptor = os.open(entry.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            while left and (part := file.read(min(left, _CHUNK))):
                left -= len(part)
                yield part
    except OSError as error:
        raise BuildError(f"{entry.path}: cannot be read for the build ({error.strerror})") from error
    if left:
        raise BuildError(f"{entry.path}: became shorter while it was sent to the engine; leave it alone and retry")


def _link(entry: Entry) -> str:
    try:
        return str(Path(entry.path).readlink())
    except OSError as error:
        raise BuildError(f"{entry.path}: cannot be read for the build ({error.strerror})") from error
