"""Making a folder a package: the same folder gives the same bytes, on any machine and at any time.

Entries are sorted by name, times are fixed, and of the modes only the executable bit is kept. (The bytes depend
on the zlib in use; its compression has been stable for years.)
"""

from __future__ import annotations

import os
import shutil
import stat
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.errors import PackageError, StorageError
from agent.packages.archives.entry import Refused
from agent.packages.archives.names import Names, check_link, entry_parts, shown
from agent.packages.identity import file_name, known_extension, parse_stem
from agent.packages.limits import Limits
from agent.packages.stamps import hash_stream

LEFT_OUT = frozenset({".git", ".hg", ".svn", ".bzr"})
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class Packed:
    """The package that was written; `size` in bytes, `sha256` in lower-case hex."""

    path: Path
    sha256: str
    files: int
    size: int


def pack(
    folder: Path,
    output: Path | None,
    id: str | None = None,  # noqa: A002  the field's own word
    version: str | None = None,
    *,
    check: Callable[[Path], None] | None = None,
    instead: Mapping[str, bytes | None] | None = None,
) -> Packed:
    """Write `Id.Version.zip` into the folder `output` (the current one if None), or the file `output`.

    Id and version come from the folder's name `Id.Version` where they are not given. Version control's folders
    and the output itself are left out. PackageError for a link that leads out of the folder, and for everything
    that `extract` would refuse: what is packed here can be unpacked. `instead` are
    files at the top that are not in the folder, or not like that; None leaves out what has that name there.
    """
    if not folder.is_dir():
        raise PackageError(f"{folder} is not a folder; give the one to pack")
    path = _output(folder, output, id, version)
    if check:
        check(folder)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        other = instead or {}
        left_out = {beside.absolute(), path.absolute(), *((folder / name).absolute() for name in other)}
        files = _write(folder, beside, left_out, {name: data for name, data in other.items() if data is not None})
        with beside.open("rb") as file:
            sha256 = hash_stream(file)
        size = beside.stat().st_size
        beside.replace(path)
    except Refused as refused:
        raise PackageError(f"{folder} cannot be packed: {shown(refused.entry or '')} {refused.reason}") from refused
    except OSError as error:
        where = error.filename or path
        raise StorageError(f"{folder} cannot be packed: {where}: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)
    return Packed(path=path, sha256=sha256, files=files, size=size)


def _output(folder: Path, output: Path | None, id: str | None, version: str | None) -> Path:  # noqa: A002
    if output is not None and not output.is_dir() and known_extension(output.name) == ".zip":
        return output
    if not id or not version:
        named = parse_stem(folder.resolve().name)
        if not named:
            raise PackageError(f"the folder {folder} is not named Id.Version; name it so, or give --id and --version")
        id, version = id or named[0], version or named[1].text  # noqa: A001
    name = file_name(id, version, ".zip")
    directory = output or Path()
    if not directory.is_dir():
        raise PackageError(f"{directory} is not a folder; make it, or give a path that ends in .zip")
    return directory / name


def _write(folder: Path, archive: Path, left_out: set[Path], extra: Mapping[str, bytes]) -> int:
    names, limits, files = Names(), Limits(), 0
    with zipfile.ZipFile(archive, "x", zipfile.ZIP_DEFLATED) as packed:
        for path, status in sorted(
            _walk(folder, left_out), key=lambda found: found[0].relative_to(folder).as_posix()
        ):
            name = path.relative_to(folder).as_posix()
            try:
                parts = entry_parts(name, depth=limits.depth, name_bytes=limits.name_bytes)
                _add(packed, path, name, status, names, parts)
            except Refused as refused:
                raise Refused(refused.reason, entry=name) from refused
            files += not stat.S_ISDIR(status.st_mode)
        for name, data in sorted(extra.items()):
            packed.writestr(_header(name, stat.S_IFREG | 0o644), data)
    return files + len(extra)


def _walk(folder: Path, left_out: set[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything below the folder; links are found, not followed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            path = Path(entry.path)
            if entry.name in LEFT_OUT or path.absolute() in left_out:
                continue
            yield path, entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(path, left_out)


def _add(
    packed: zipfile.ZipFile, path: Path, name: str, status: os.stat_result, names: Names, parts: tuple[str, ...]
) -> None:
    if stat.S_ISDIR(status.st_mode):
        names.add_folder(parts)
        packed.writestr(_header(f"{name}/", stat.S_IFDIR | 0o755), b"")
    elif stat.S_ISLNK(status.st_mode):
        names.add_link(parts)
        target = str(path.readlink())
        check_link(target, depth=len(parts) - 1, name_bytes=Limits().name_bytes)
        packed.writestr(_header(name, stat.S_IFLNK | 0o777), os.fsencode(target))
    elif stat.S_ISREG(status.st_mode):
        names.add_file(parts)
        header = _header(name, stat.S_IFREG | (0o755 if status.st_mode & 0o111 else 0o644))
        header.file_size = status.st_size
        with path.open("rb") as source, packed.open(header, "w") as target_file:
            shutil.copyfileobj(source, target_file, 1 << 18)
    else:
        raise Refused("is a socket, device or named pipe, which no package holds")


def _header(name: str, mode: int) -> zipfile.ZipInfo:
    header = zipfile.ZipInfo(name, _EPOCH)
    header.create_system = 3
    header.external_attr = mode << 16 | (0x10 if stat.S_ISDIR(mode) else 0)
    header.compress_type = zipfile.ZIP_STORED if stat.S_ISDIR(mode) else zipfile.ZIP_DEFLATED
    return header
