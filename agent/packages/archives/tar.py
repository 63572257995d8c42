"""Reading tar archives: ustar, GNU and pax, one header after the other, in constant memory.

The standard library parses single header blocks here; its archive class is not used, since it reads extended
headers of any size into memory, keeps all members, and was escaped from time and again.
"""

from __future__ import annotations

import math
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import BinaryIO

from agent.packages.archives.decompress import Compression, decompressed
from agent.packages.archives.entry import Entry, EntryKind, Refused

BLOCK = 512
EXTENDED_BYTES = 1 << 20
TRAILING_BYTES = 1 << 20


def tar_entries(file: BinaryIO, _entries: int, *, compression: Compression) -> Iterator[Entry]:
    """The entries in order. Refused for anything that is no tar, is cut off, or needs a device or sparse file."""
    stream = _Stream(decompressed(file, compression))
    extended = _Extended()
    while header := stream.take_header():
        if header.type in _EXTENSIONS:
            extended = _extension(header, stream, extended)
            continue
        entry, size = _entry(header, extended, stream)
        extended = _Extended()
        stream.content = size
        yield entry
        stream.skip_content()
    if extended != _Extended():
        raise Refused("ends after a header that announces another entry")
    stream.check_end()


@dataclass(frozen=True, kw_only=True)
class _Extended:
    """What extension headers say of the entry that follows them."""

    name: str | None = None
    target: str | None = None
    size: int | None = None
    modified: float | None = None


_KINDS: dict[bytes, EntryKind] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
}
_UNWANTED = {
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
_EXTENSIONS = frozenset(
    [tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK]
)


class _Stream:
    """The archive's bytes in the sizes that are asked for."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")
        self._padding = 0
        self.content = 0

    def take(self, count: int) -> bytes:
        if len(self._piece) >= count:
            taken, self._piece = self._piece[:count], self._piece[count:]
            return bytes(taken)
        return b"".join(self._up_to(count))

    def take_header(self) -> tarfile.TarInfo | None:
        block = self.take(BLOCK)
        if not block.strip(b"\0"):
            return None
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError) as error:
            raise Refused(f"is damaged or no tar archive ({error})") from error

    def chunks(self) -> Iterator[bytes]:
        """The content of the current entry."""
        size, self.content = self.content, 0
        self._padding = -size % BLOCK
        yield from self._up_to(size)

    def skip_content(self) -> None:
        for _ in self.chunks() if self.content else ():
            pass
        if self._padding:
            self.take(self._padding)
            self._padding = 0

    def check_end(self) -> None:
        """A little padding may follow, not a second archive: other tools might read that one."""
        trailing = 0
        for piece in chain([bytes(self._piece)], self._pieces):
            trailing += len(piece)
            if trailing > TRAILING_BYTES or piece.strip(b"\0"):
                raise Refused("goes on after its end")

    def _up_to(self, count: int) -> Iterator[bytes]:
        while count:
            if not self._piece:
                self._piece = memoryview(next(self._pieces, b""))
                if not self._piece:
                    raise Refused("is cut off")
            taken, self._piece = self._piece[:count], self._piece[count:]
            count -= len(taken)
            yield bytes(taken)


def _entry(header: tarfile.TarInfo, extended: _Extended, stream: _Stream) -> tuple[Entry, int]:
    name = header.name if extended.name is None else extended.name
    kind = _KINDS.get(header.type)
    if kind is None:
        what = _UNWANTED.get(header.type, f"of the unknown type {header.type!r}")
        raise Refused(f"is {what}", entry=name)
    size = header.size if extended.size is None else extended.size
    if size < 0:
        raise Refused("has a negative size", entry=name)
    if kind == "file" and name.endswith("/"):
        raise Refused("is a file by its type and a folder by its name", entry=name)
    entry = Entry(
        name=name,
        kind=kind,
        chunks=stream.chunks,
        executable=bool(header.mode & 0o111),
        modified=header.mtime if extended.modified is None else extended.modified,
        target=header.linkname if extended.target is None else extended.target,
    )
    return entry, size if kind == "file" else 0


def _extension(header: tarfile.TarInfo, stream: _Stream, extended: _Extended) -> _Extended:
    """What this extension header adds. A global one may not rename or resize what follows."""
    if not 0 <= header.size <= EXTENDED_BYTES:
        raise Refused(f"has an extended header of more than {EXTENDED_BYTES:,} bytes")
    data = stream.take(header.size)
    stream.take(-header.size % BLOCK)
    if header.type == tarfile.GNUTYPE_LONGNAME:
        return replace(extended, name=_text(data.partition(b"\0")[0]))
    if header.type == tarfile.GNUTYPE_LONGLINK:
        return replace(extended, target=_text(data.partition(b"\0")[0]))
    added = _pax(data, extended)
    if header.type != tarfile.XGLTYPE:
        return added
    if added != extended:
        raise Refused("has a global header that changes every entry")
    return extended


def _pax(data: bytes, extended: _Extended) -> _Extended:
    """Records of `length key=value\\n`, the last of a key counting; unknown keys mean nothing to us."""
    position = 0
    while position < len(data):
        digits, blank, _ = data[position : position + 12].partition(b" ")
        end = position + int(digits) if blank and digits.isdigit() else 0
        record = data[position + len(digits) + 1 : end]
        key, equals, value = record[:-1].partition(b"=")
        if end > len(data) or not equals or not record.endswith(b"\n"):
            raise Refused("has a damaged extended header")
        extended = _with_record(extended, key, value)
        position = end
    return extended


def _with_record(extended: _Extended, key: bytes, value: bytes) -> _Extended:
    if key.startswith(b"GNU.sparse"):
        raise Refused("holds a sparse file")
    if key == b"path":
        return replace(extended, name=_text(value))
    if key == b"linkpath":
        return replace(extended, target=_text(value))
    try:
        if key == b"size":
            return replace(extended, size=int(value) if value.isdigit() and len(value) < 20 else -1)
        if key == b"mtime" and math.isfinite(float(value)):
            return replace(extended, modified=float(value))
    except ValueError as error:
        raise Refused("has a damaged extended header") from error
    return extended


def _text(data: bytes) -> str:
    """Bytes that are not UTF-8 survive as such, and are refused where names are checked."""
    return data.decode("utf-8", "surrogateescape")
