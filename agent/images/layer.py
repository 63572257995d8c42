"""One layer made of a few files, the same bytes for the same content, for Linux and for Windows images.

Reproducible: sorted, without times and names of users, and with a gzip header of our own. Files keep mode, owner
and extended attributes of those they replace. Folders above them are written only where the image says what they
are like: an engine gives a folder that a layer implies but does not describe its own default mode and owner,
and hides that of the layers below.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from agent.errors import InputError

if TYPE_CHECKING:
    from agent.host import OperatingSystem

WHITEOUT: Final = ".wh."
WINDOWS_FILES: Final = "Files"

_WINDOWS_REGISTRY: Final = "Hives"
_SECURITY_DESCRIPTOR: Final = "MSWINDOWS.rawsd"
_USERS: Final = "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAhAgAAAQIAAAAAAAUgAAAAIQIAAA=="
"""Owner and group BUILTIN\\Users, nothing denied; without any, Windows refuses the layer."""
_GZIP_HEADER: Final = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_LARGEST: Final = 1024 * 1024 * 1024


class Attributes(msgspec.Struct, frozen=True, kw_only=True):
    """What a tar says of a file or folder beside its content. `records` are pax records that images use."""

    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    records: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class LayerFile:
    """A file to be in the image at `path`, posix and relative to the image's root."""

    path: str
    content: bytes = field(repr=False)
    attributes: Attributes


class LayerContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a layer changes. `folders` describe those above the files; `deleted` files are gone in the image."""

    files: tuple[LayerFile, ...] = ()
    deleted: tuple[str, ...] = ()
    folders: Mapping[str, Attributes] = {}


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer as registries keep it: `data` is gzipped, `diff_id` the digest of what is inside."""

    data: bytes = field(repr=False)
    digest: str
    diff_id: str


def make_layer(content: LayerContent, os: OperatingSystem) -> Layer:
    """The layer. InputError for a path that leads out of the image, or for more than 1 GB."""
    if sum(len(file.content) for file in content.files) > _LARGEST:
        raise InputError("a layer of more than 1 GB is not made in memory; let fewer files be configured")
    archive = _archive(sorted(_windows(content) if os == "windows" else _members(content), key=lambda m: m.name))
    data = _compressed(archive)
    return Layer(data=data, digest=_digest(data), diff_id=_digest(archive))


def pack_files(files: Iterable[LayerFile]) -> bytes:
    """A tar of the files alone, with their modes and owners, for an engine to unpack."""
    return _archive(sorted(_members(LayerContent(files=tuple(files))), key=lambda member: member.name))


class _Member(msgspec.Struct, frozen=True, kw_only=True):
    """One entry; `content` None makes it a folder."""

    name: str
    content: bytes | None
    attributes: Attributes


def _members(content: LayerContent) -> Iterable[_Member]:
    for file in content.files:
        yield _Member(name=_checked(file.path), content=file.content, attributes=file.attributes)
    for path in content.deleted:
        folder, slash, name = _checked(path).rpartition("/")
        yield _Member(name=f"{folder}{slash}{WHITEOUT}{name}", content=b"", attributes=Attributes())
    for path, attributes in content.folders.items():
        yield _Member(name=_checked(path), content=None, attributes=attributes)


def _windows(content: LayerContent) -> Iterable[_Member]:
    """As crane: files under Files/, beside the registry's hives, each with a security descriptor."""
    for name in (WINDOWS_FILES, _WINDOWS_REGISTRY):
        yield _Member(name=name, content=None, attributes=_described(Attributes(mode=0o555)))
    for member in _members(content):
        name = member.name if _is_windows_path(member.name) else f"{WINDOWS_FILES}/{member.name}"
        if name not in (WINDOWS_FILES, _WINDOWS_REGISTRY):
            yield _Member(name=name, content=member.content, attributes=_described(member.attributes))


def _is_windows_path(name: str) -> bool:
    return name.partition("/")[0] in (WINDOWS_FILES, _WINDOWS_REGISTRY)


def _described(attributes: Attributes) -> Attributes:
    records = {_SECURITY_DESCRIPTOR: _USERS, **attributes.records}
    return Attributes(mode=attributes.mode, uid=attributes.uid, gid=attributes.gid, records=records)


def _checked(path: str) -> str:
    parts = path.split("/")
    if not path or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise InputError(f"{path[:100]!r} is no path inside an image")
    if any(part.startswith(WHITEOUT) for part in parts):
        raise InputError(f"{path[:100]!r} cannot be put into a layer: names that begin with {WHITEOUT} delete files")
    return path


def _archive(members: Iterable[_Member]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive:
        for member in members:
            archive.addfile(_header(member), io.BytesIO(member.content or b""))
    return buffer.getvalue()


def _header(member: _Member) -> tarfile.TarInfo:
    header = tarfile.TarInfo(member.name)
    header.type = tarfile.DIRTYPE if member.content is None else tarfile.REGTYPE
    header.size = len(member.content or b"")
    header.mode = member.attributes.mode
    header.uid, header.gid = member.attributes.uid, member.attributes.gid
    header.pax_headers = dict(sorted(member.attributes.records.items()))
    return header


def _compressed(data: bytes) -> bytes:
    """Gzip with a header that says nothing of time, name or system."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    trailer = zlib.crc32(data).to_bytes(4, "little") + (len(data) & 0xFFFFFFFF).to_bytes(4, "little")
    return _GZIP_HEADER + deflate.compress(data) + deflate.flush() + trailer


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
