"""Reading a layer's tar: what is in it, and the content of the few files that are wanted.

Nothing is written anywhere. Names that lead nowhere, or out of the image, are passed over: no engine would make
anything of them that is in the image. The standard library parses single header blocks; its archive class is
not used, since it takes extended headers of any size into memory.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable, Iterator
from typing import Final, Literal

import msgspec

from agent.images.inflate import LayerError

Kind = Literal["file", "folder", "symlink", "hardlink", "other"]

_BLOCK: Final = 512
_LARGEST_EXTENSION: Final = 1024 * 1024
_MOST_ENTRIES: Final = 2_000_000
_LONGEST_NAME: Final = 4_096
_DEEPEST: Final = 256
_KINDS: Final[dict[bytes, Kind]] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
}
_EXTENSIONS: Final = frozenset(
    [tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK]
)
_KEPT_RECORDS: Final = ("SCHILY.xattr.", "MSWINDOWS.", "LIBARCHIVE.creationtime")


class TarEntry(msgspec.Struct, frozen=True, kw_only=True):
    """`path` is posix, relative and without `.` or `..`; `target` is as written. `content` is there if wanted.

    `size` and `sha256` (32 bytes) are those of a file's content.
    """

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    target: str = ""
    records: dict[str, bytes] = {}
    content: bytes | None = None
    size: int = 0
    sha256: bytes = b""


def tar_entries(chunks: Iterator[bytes], wanted: Callable[[str, int], bool]) -> Iterator[TarEntry]:
    """The entries in order; `wanted` says by path and size whose content to keep. LayerError if damaged."""
    source = _Source(chunks)
    extended = _Extended()
    count = 0
    while header := source.header():
        count += 1
        if count > _MOST_ENTRIES:
            raise LayerError(f"has more than {_MOST_ENTRIES:,} entries; it is not read")
        if header.type in _EXTENSIONS:
            _extend(extended, header, source)
            continue
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise LayerError("holds a sparse file of the old kind, which cannot be read; push it anew")
        if entry := _entry(header, extended, source, wanted):
            yield entry
        extended = _Extended()
    source.drain()


class _Extended(msgspec.Struct):
    """What extension headers say of the entry that follows them."""

    name: str | None = None
    target: str | None = None
    numbers: dict[str, int] = {}
    records: dict[str, bytes] = {}
    sparse: bool = False


class _Source:
    """The tar's bytes in the sizes that are asked for."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = memoryview(b"")

    def header(self) -> tarfile.TarInfo | None:
        block = self.take(_BLOCK, may_end=True)
        if not block.strip(b"\0"):
            return None
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError) as error:
            raise LayerError(f"is no tar archive, or damaged ({error}); push the image anew") from error

    def take(self, count: int, *, may_end: bool = False) -> bytes:
        if len(self._chunk) >= count:
            taken, self._chunk = self._chunk[:count], self._chunk[count:]
            return bytes(taken)
        taken_bytes = b"".join(self._parts(count))
        if len(taken_bytes) < count and not (may_end and not taken_bytes):
            raise LayerError("is cut off; push the image anew")
        return taken_bytes

    def skip(self, count: int) -> None:
        if sum(len(part) for part in self._parts(count)) < count:
            raise LayerError("is cut off; push the image anew")

    def hashed(self, count: int) -> bytes:
        """The SHA-256 of so many bytes, which are passed over."""
        digest = hashlib.sha256()
        for part in self._parts(count):
            digest.update(part)
            count -= len(part)
        if count:
            raise LayerError("is cut off; push the image anew")
        return digest.digest()

    def drain(self) -> None:
        """To the end, since only there the digest is known to be right."""
        for _ in self._chunks:
            pass

    def _parts(self, count: int) -> Iterator[memoryview]:
        while count:
            if not self._chunk:
                fresh = next(self._chunks, None)
                if fresh is None:
                    return
                self._chunk = memoryview(fresh)
            part, self._chunk = self._chunk[:count], self._chunk[count:]
            count -= len(part)
            yield part


def _entry(
    header: tarfile.TarInfo, extended: _Extended, source: _Source, wanted: Callable[[str, int], bool]
) -> TarEntry | None:
    kind: Kind = _KINDS.get(header.type, "other")
    size = extended.numbers.get("size", header.size)
    if size < 0:
        raise LayerError("holds a file of negative size; push the image anew")
    stored = size if kind in ("file", "other") else 0
    kind = "other" if extended.sparse else kind
    path = inner_path(header.name if extended.name is None else extended.name)
    content, sha256 = None, b""
    if path is not None and kind == "file" and wanted(path, size):
        content = source.take(stored)
        sha256 = hashlib.sha256(content).digest()
    elif kind == "file":
        sha256 = source.hashed(stored)
    else:
        source.skip(stored)
    source.skip(-stored % _BLOCK)
    target = header.linkname if extended.target is None else extended.target
    if path is None or not _is_text(target) or len(target) > _LONGEST_NAME:
        return None
    return TarEntry(
        path=path,
        kind=kind,
        mode=header.mode & 0o7777,
        uid=extended.numbers.get("uid", header.uid),
        gid=extended.numbers.get("gid", header.gid),
        target=target,
        records=extended.records,
        content=content,
        size=stored if kind == "file" else 0,
        sha256=sha256,
    )


def inner_path(name: str) -> str | None:
    """The path inside the image; None for what is none."""
    if len(name) > _LONGEST_NAME or "\0" in name or not _is_text(name):
        return None
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or len(parts) > _DEEPEST:
        return None
    return "/".join(parts)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _extend(extended: _Extended, header: tarfile.TarInfo, source: _Source) -> None:
    if not 0 <= header.size <= _LARGEST_EXTENSION:
        raise LayerError("has an extended header of more than 1 MB; it is not read")
    data = source.take(header.size)
    source.skip(-header.size % _BLOCK)
    if header.type == tarfile.GNUTYPE_LONGNAME:
        extended.name = _text(data.partition(b"\0")[0])
    elif header.type == tarfile.GNUTYPE_LONGLINK:
        extended.target = _text(data.partition(b"\0")[0])
    elif header.type != tarfile.XGLTYPE:  # a global one tells of the archive: git writes its commit there
        _read_records(extended, data)


def _read_records(extended: _Extended, data: bytes) -> None:
    """Records of `length key=value\\n`."""
    position = 0
    while position < len(data):
        digits, blank, _ = data[position : position + 12].partition(b" ")
        end = position + int(digits) if blank and digits.isdigit() else 0
        key, equals, value = data[position + len(digits) + 1 : end - 1].partition(b"=")
        if not position < end <= len(data) or not equals:
            raise LayerError("has a damaged extended header; push the image anew")
        _take_record(extended, _text(key), value)
        position = end


def _take_record(extended: _Extended, key: str, value: bytes) -> None:
    if key == "path":
        extended.name = _text(value)
    elif key == "linkpath":
        extended.target = _text(value)
    elif key in ("size", "uid", "gid") and value.isdigit() and len(value) < 20:
        extended.numbers[key] = int(value)
    elif key.startswith("GNU.sparse"):
        extended.sparse = True
    elif key.startswith(_KEPT_RECORDS) and _is_text(key):
        extended.records[key] = value


def _text(data: bytes) -> str:
    """Bytes that are no UTF-8 survive as such."""
    return data.decode("utf-8", "surrogateescape")
