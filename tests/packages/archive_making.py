"""Archives for the tests, made by the standard library, hostile where asked."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import zstandard

Kind = Literal["file", "folder", "symlink", "hardlink", "fifo", "device", "sparse"]

TAR_TYPES = {
    "file": tarfile.REGTYPE,
    "folder": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "fifo": tarfile.FIFOTYPE,
    "device": tarfile.CHRTYPE,
    "sparse": tarfile.GNUTYPE_SPARSE,
}
ZIP_TYPES = {
    "file": stat.S_IFREG,
    "folder": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "hardlink": stat.S_IFREG,
    "fifo": stat.S_IFIFO,
    "device": stat.S_IFCHR,
    "sparse": stat.S_IFREG,
}


@dataclass(frozen=True, kw_only=True)
class Member:
    """One entry to be written, good or bad."""

    name: str
    data: bytes = b""
    kind: Kind = "file"
    mode: int = 0o644
    target: str = ""
    modified: int = 1_700_000_000


def zip_bytes(members: Iterable[Member], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for member in members:
            info = zipfile.ZipInfo("placeholder", (2023, 11, 14, 22, 13, 20))
            info.filename = member.name + ("/" if member.kind == "folder" and not member.name.endswith("/") else "")
            info.create_system = 3
            info.external_attr = (ZIP_TYPES[member.kind] | member.mode) << 16
            info.compress_type = compression
            data = member.target.encode() if member.kind in {"symlink", "hardlink"} else member.data
            archive.NameToInfo.clear()  # else a name that is there twice is warned about
            archive.writestr(info, b"" if member.kind == "folder" else data)
    return buffer.getvalue()


def tar_bytes(members: Iterable[Member], format: int = tarfile.PAX_FORMAT) -> bytes:  # noqa: A002
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for member in members:
            info = tarfile.TarInfo(member.name)
            info.type = TAR_TYPES[member.kind]
            info.linkname = member.target
            info.mode = member.mode
            info.mtime = member.modified
            info.size = len(member.data) if member.kind == "file" else 0
            archive.addfile(info, io.BytesIO(member.data))
    return buffer.getvalue()


def archive_bytes(members: Iterable[Member], extension: str) -> bytes:
    if extension in {".zip", ".nupkg", ".jar"}:
        return zip_bytes(members)
    data = tar_bytes(members)
    if extension in {".tar.gz", ".tgz"}:
        return gzip.compress(data, 1)
    if extension == ".tar.bz2":
        return bz2.compress(data, 1)
    if extension == ".tar.xz":
        return lzma.compress(data, preset=0)
    if extension == ".tar.zst":
        return zstandard.ZstdCompressor().compress(data)
    return data


def write_archive(path: Path, members: Iterable[Member], extension: str = ".zip") -> Path:
    file = path.with_name(path.name + extension)
    file.write_bytes(archive_bytes(members, extension))
    return file
