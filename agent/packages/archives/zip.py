"""Reading zip archives, and nupkg, which are zip archives with metadata of their own.

The central directory is read entry by entry, so that a million of them take no more memory than one, and each
is held against its local header: an archive that says two things is refused.
"""

from __future__ import annotations

import bz2
import stat
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO
from urllib.parse import unquote

from agent.packages.archives.decompress import PIECE
from agent.packages.archives.entry import Entry, EntryKind, Refused

TARGET_BYTES = 4096
DIRECTORY_PIECE = 1 << 20


def zip_entries(file: BinaryIO, entries: int) -> Iterator[Entry]:
    """The entries in the directory's order. Refused for anything that is no zip, encrypted, or contradictory."""
    directory = _find_directory(file)
    if directory.entries > entries:
        raise Refused(f"has more than {entries:,} entries")
    count, room = 0, directory.start
    for member in _members(file, directory):
        count += 1
        room -= _LOCAL.size + len(member.raw_name) + member.packed
        if room < 0:
            raise Refused("overlaps another entry", entry=member.name)
        yield _entry(file, member)
    if (count - directory.entries) % 0x10000:  # old tools cut the count to 16 bits
        raise Refused("has another number of entries than its directory says")


def nupkg_entries(file: BinaryIO, entries: int) -> Iterator[Entry]:
    """The entries but NuGet's own metadata, their names URI-unescaped (both as Calamari)."""
    for entry in zip_entries(file, entries):
        name = _unescaped(entry.name)
        if not _is_metadata(name):
            yield replace(entry, name=name)


@dataclass(frozen=True, kw_only=True)
class _Directory:
    """Where the central directory lies; `shift` is how much stands before the archive (a start script)."""

    start: int
    size: int
    shift: int
    entries: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Member:
    """One record of the central directory; `packed` and `size` are bytes compressed and not."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int
    is_folder: bool
    modified: float | None


_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4sBBHHHHHLLLHHHHHLL")
_LOCAL = struct.Struct("<4sHHHHHLLLHH")
_STORED, _DEFLATED, _BZIP2 = 0, 8, 12
_ENCRYPTED, _UTF8 = 0x1, 0x800
_UNIX_SYSTEMS = {3, 19}
_METHODS = {9: "Deflate64", 14: "LZMA", 93: "Zstandard", 95: "XZ", 99: "AES encryption"}


def _find_directory(file: BinaryIO) -> _Directory:
    length = file.seek(0, 2)
    tail_start = max(0, length - _END.size - 0xFFFF)
    file.seek(tail_start)
    tail = _read(file, length - tail_start)
    position = tail.rfind(b"PK\5\6")
    while position >= 0:
        fields = tail[position : position + _END.size]
        if len(fields) == _END.size and position + _END.size + _END.unpack(fields)[7] == len(tail):
            return _directory(file, tail_start + position, _END.unpack(fields))
        position = tail.rfind(b"PK\5\6", 0, position)
    raise Refused("is damaged or no zip archive (it has no directory at its end)")


def _directory(file: BinaryIO, end: int, fields: tuple[int, ...]) -> _Directory:
    _, disk, first_disk, _, entries, size, offset, _ = fields
    if disk not in {0, 0xFFFF} or first_disk not in {0, 0xFFFF}:
        raise Refused("is one part of a split archive")
    if 0xFFFFFFFF in {size, offset} or 0xFFFF in fields[3:5]:
        end, entries, size, offset = _directory64(file, end, fields)
    shift = end - size - offset
    if shift < 0:
        raise Refused("is damaged or no zip archive (its directory does not fit)")
    return _Directory(start=end - size, size=size, shift=shift, entries=entries)


def _directory64(file: BinaryIO, end: int, ordinary: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Zip64's directory comes before the ordinary one; 65,535 entries may do without it."""
    file.seek(max(0, end - _END64_LOCATOR.size))
    locator = _read(file, _END64_LOCATOR.size)
    if end < _END64_LOCATOR.size or not locator.startswith(b"PK\6\7"):
        return end, ordinary[4], ordinary[5], ordinary[6]
    position = end - _END64_LOCATOR.size - _END64.size
    file.seek(max(0, position))
    record = _read(file, _END64.size)
    if position < 0 or not record.startswith(b"PK\6\6"):
        raise Refused("is damaged (its zip64 directory is not where it should be)")
    fields = _END64.unpack(record)
    return position, fields[7], fields[8], fields[9]


def _members(file: BinaryIO, directory: _Directory) -> Iterator[_Member]:
    """The directory is read in pieces; the reader may seek elsewhere between two members."""
    position, end = directory.start, directory.start + directory.size
    window = memoryview(b"")
    while position < end:
        if len(window) < _CENTRAL.size + 3 * 0xFFFF and len(window) < end - position:
            file.seek(position)
            window = memoryview(_read(file, min(DIRECTORY_PIECE, end - position)))
        if len(window) < _CENTRAL.size:
            raise Refused("has a damaged directory")
        fields = _CENTRAL.unpack_from(window)
        length = _CENTRAL.size + fields[11] + fields[12] + fields[13]
        if fields[0] != b"PK\1\2" or length > len(window):
            raise Refused("has a damaged directory")
        yield _member(fields, bytes(window[_CENTRAL.size : length]), directory.shift)
        window = window[length:]
        position += length


def _member(fields: tuple[int, ...], variable: bytes, shift: int) -> _Member:
    (_, _, system, _, flags, method, clock, day, crc, packed, size) = fields[:11]
    name_length, extra_length, _, _, _, attributes, offset = fields[11:]
    raw_name = variable[:name_length]
    extra = _extra_fields(variable[name_length : name_length + extra_length])
    packed, size, offset = _wide_sizes(extra.get(0x0001, b""), packed, size, offset)
    is_unix = system in _UNIX_SYSTEMS
    name = _decoded_name(raw_name, flags, extra)
    if not is_unix:
        name = name.replace("\\", "/")
    mode = attributes >> 16 if is_unix else 0
    return _Member(
        name=name,
        raw_name=raw_name,
        flags=flags,
        method=method,
        crc=crc,
        packed=packed,
        size=size,
        offset=offset + shift,
        mode=mode,
        is_folder=name.endswith("/") or stat.S_ISDIR(mode),
        modified=_modified(extra.get(0x5455, b""), day, clock),
    )


def _extra_fields(extra: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        fields[kind] = extra[position + 4 : position + 4 + length]
        position += 4 + length
    return fields


def _wide_sizes(extra: bytes, packed: int, size: int, offset: int) -> tuple[int, int, int]:
    """Zip64 gives eight bytes for each field that is at its maximum, in this order."""
    wide = iter(struct.unpack(f"<{len(extra) // 8}Q", extra[: len(extra) // 8 * 8]))
    size = next(wide, size) if size == 0xFFFFFFFF else size
    packed = next(wide, packed) if packed == 0xFFFFFFFF else packed
    offset = next(wide, offset) if offset == 0xFFFFFFFF else offset
    return packed, size, offset


def _decoded_name(raw_name: bytes, flags: int, extra: dict[int, bytes]) -> str:
    """UTF-8 where the archive says so, in a flag or in Info-ZIP's field; else code page 437, as zip was born."""
    if flags & _UTF8:
        return raw_name.decode("utf-8", "surrogateescape")
    unicode_name = extra.get(0x7075, b"")
    if len(unicode_name) > 5 and struct.unpack_from("<xL", unicode_name)[0] == zlib.crc32(raw_name):
        return unicode_name[5:].decode("utf-8", "surrogateescape")
    return raw_name.decode("cp437")


def _modified(extra: bytes, day: int, clock: int) -> float | None:
    """Info-ZIP's time, in UTC, or the DOS time, which is local time by the format."""
    if len(extra) >= 5 and extra[0] & 1:
        return float(struct.unpack_from("<l", extra, 1)[0])
    date = (1980 + (day >> 9), day >> 5 & 15, day & 31, clock >> 11, clock >> 5 & 63, (clock & 31) * 2)
    if not (1 <= date[1] <= 12 and 1 <= date[2] <= 31):
        return None
    try:
        return time.mktime((*date, 0, 0, -1))
    except (OverflowError, ValueError):
        return None


def _entry(file: BinaryIO, member: _Member) -> Entry:
    kind = _kind(member)
    target = ""
    if kind == "symlink":
        if member.size > TARGET_BYTES:
            raise Refused("is a link to a very long name", entry=member.name)
        target = b"".join(_content(file, member)).decode("utf-8", "surrogateescape")
    return Entry(
        name=member.name,
        kind=kind,
        chunks=partial(_content, file, member),
        executable=bool(member.mode & 0o111),
        modified=member.modified,
        target=target,
    )


def _kind(member: _Member) -> EntryKind:
    if member.is_folder:
        if member.size:
            raise Refused("is a folder with content", entry=member.name)
        return "folder"
    if stat.S_ISLNK(member.mode):
        return "symlink"
    if stat.S_IFMT(member.mode) not in {0, stat.S_IFREG}:
        raise Refused("is a device or named pipe", entry=member.name)
    return "file"


def _content(file: BinaryIO, member: _Member) -> Iterator[bytes]:
    """The content in pieces, with its length and checksum verified at the end."""
    if member.flags & _ENCRYPTED:
        raise Refused("is encrypted")
    first = _seek_content(file, member)
    crc = length = 0
    for piece in _unpacked(file, first, member):
        length += len(piece)
        if length > member.size:
            break
        crc = zlib.crc32(piece, crc)
        yield piece
    if length != member.size or crc != member.crc:
        raise Refused("is damaged or not what the directory says")


def _seek_content(file: BinaryIO, member: _Member) -> bytes:
    """Check the local header; the first packed bytes, read along with it."""
    file.seek(member.offset)
    header_length = _LOCAL.size + len(member.raw_name)
    data = _read(file, header_length + 64 + min(member.packed, PIECE))
    if len(data) < header_length or not data.startswith(b"PK\3\4"):
        raise Refused("is damaged (its header is not where the directory says)")
    fields = _LOCAL.unpack_from(data)
    method, name_length, extra_length = fields[3], fields[9], fields[10]
    if data[_LOCAL.size : _LOCAL.size + name_length] != member.raw_name or method != member.method:
        raise Refused("has another name or method in its header than in the directory")
    start = header_length + extra_length
    file.seek(member.offset + max(start, len(data)))
    return data[start : start + member.packed]


def _unpacked(file: BinaryIO, first: bytes, member: _Member) -> Iterator[bytes]:
    packed = _packed(file, first, member.packed)
    try:
        if member.method == _STORED:
            yield from packed
        elif member.method == _DEFLATED:
            yield from _inflated(packed)
        elif member.method == _BZIP2:
            yield from _bunzipped(packed)
        else:
            method = _METHODS.get(member.method, str(member.method))
            raise Refused(f"is packed by {method}, which is not read here; use Deflate")
    except (zlib.error, ValueError, EOFError) as error:
        raise Refused(f"is damaged ({error})") from error
    except OSError as error:
        if error.errno is None:  # how bz2 says that its input is damaged
            raise Refused(f"is damaged ({error})") from error
        raise


def _packed(file: BinaryIO, first: bytes, length: int) -> Iterator[bytes]:
    if first:
        yield first
    rest = length - len(first)
    while rest:
        data = file.read(min(rest, PIECE))
        if not data:
            raise EOFError("it is cut off")
        rest -= len(data)
        yield data


def _inflated(packed: Iterator[bytes]) -> Iterator[bytes]:
    decompressor = zlib.decompressobj(-15)
    for data in packed:
        rest = data
        while rest:
            yield decompressor.decompress(rest, PIECE)
            if decompressor.unused_data:
                raise EOFError("its packed data goes on after its end")
            rest = decompressor.unconsumed_tail
    if not decompressor.eof:
        raise EOFError("its packed data is cut off")


def _bunzipped(packed: Iterator[bytes]) -> Iterator[bytes]:
    decompressor = bz2.BZ2Decompressor()
    for data in packed:
        yield decompressor.decompress(data, PIECE)
        while not (decompressor.needs_input or decompressor.eof):
            yield decompressor.decompress(b"", PIECE)
    if not decompressor.eof:
        raise EOFError("its packed data is cut off")


def _read(file: BinaryIO, count: int) -> bytes:
    """Up to `count` bytes; fewer only at the end of the file."""
    data = file.read(count)
    while len(data) < count and (more := file.read(count - len(data))):
        data += more
    return data


def _unescaped(name: str) -> str:
    try:
        return unquote(name, errors="strict")
    except UnicodeDecodeError:
        return name


def _is_metadata(name: str) -> bool:
    plain = name.replace("\\", "/")
    return (
        plain.startswith(("_rels/", "package/services/metadata/"))
        or plain == "[Content_Types].xml"
        or plain.lower().endswith((".nupkg.sha512", ".nuspec"))
    )
