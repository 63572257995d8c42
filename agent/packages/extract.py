"""Unpacking a package into a folder: all of it, or nothing.

The archive is written into a new folder beside the target, entry by entry and within limits, and takes the
target's place (or joins it) only when every entry was good. Modes become 644 and 755, whatever the archive says.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from agent.errors import PackageError, StorageError
from agent.host import ByteProgress
from agent.packages.acquire import AcquiredPackage
from agent.packages.archives import Refused, read_archive
from agent.packages.archives.names import shown
from agent.packages.folders import Folder, open_folder
from agent.packages.identity import known_extension
from agent.packages.limits import Budget, Limits
from agent.packages.stamps import hash_stream, seal_of, stamp_of
from agent.packages.tree import Conflict, TreeWriter, join

Fidelity = Literal["full", "calamari"]


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """What was written: `files` counts links too, `bytes` is the files' content."""

    files: int
    bytes: int


def extract(
    package: Path | AcquiredPackage,
    into: Path,
    *,
    limits: Limits | None = None,
    progress: ByteProgress | None = None,
    fidelity: Fidelity | None = None,
) -> Extracted:
    """Unpack a package into the folder `into`, which is made, or joined if it is there: files replace files.

    `progress` gets bytes of the archive. `calamari` drops links and executable bits, as Calamari does; not given, the
    package's reference decides.
    PackageError where the archive is damaged, hostile, over a limit, or no longer what was acquired; StorageError
    where the disk is full or not writable. Either way `into` is as it was.
    """
    source = _Source.of(package)
    try:
        with source.opened() as file, _beside(into) as staging:
            stamp = source.verified(file)
            extracted = _write(file, source, staging, limits or Limits(), progress, fidelity)
            source.check_unchanged(file, stamp)
            _publish(staging, into)
            return extracted
    except Refused as refused:
        entry = f"entry {shown(refused.entry)} " if refused.entry else "it "
        raise PackageError(f"{source.name} is refused: {entry}{refused.reason}; nothing was extracted") from refused
    except Conflict as conflict:
        raise PackageError(
            f"{source.name} does not fit into {into}: {shown(conflict.name)} {conflict.reason}; extract it elsewhere"
        ) from conflict
    except OSError as error:
        raise StorageError(
            f"{source.name} cannot be extracted into {into}: {error.strerror}; check the space and rights there"
        ) from error


def read_file(package: Path | AcquiredPackage, name: str, largest: int = 1_000_000) -> bytes | None:
    """One file of a package, by its exact name, without unpacking it; None if it is not there.

    PackageError where the archive is damaged or the file larger than `largest` bytes.
    """
    source = _Source.of(package)
    try:
        with source.opened() as file:
            source.verified(file)
            file.seek(0)
            for entry in read_archive(file, source.extension, Limits().entries):
                if entry.kind == "file" and entry.name.removeprefix("./") == name:
                    return _limited(entry.chunks(), name, largest)
    except Refused as refused:
        raise PackageError(f"{source.name} is refused: it {refused.reason}") from refused
    except OSError as error:
        raise PackageError(f"{source.name} cannot be read: {error.strerror}; check {source.path}") from error
    return None


def _limited(chunks: Iterable[bytes], name: str, largest: int) -> bytes:
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > largest:
            raise Refused(f"has a {name} of more than {largest:,} bytes")
    return bytes(content)


@dataclass(frozen=True, kw_only=True)
class _Source:
    """The archive's file; `sha256` and `seal` are empty where nothing is known of its content."""

    name: str
    path: Path
    extension: str
    sha256: str = ""
    seal: str = ""
    fidelity: Fidelity = "full"

    @classmethod
    def of(cls, package: Path | AcquiredPackage) -> _Source:
        if isinstance(package, Path):
            extension = known_extension(package.name) or package.suffix
            return cls(name=package.name, path=package, extension=extension)
        return cls(
            name=f"package {package.id} {package.version}",
            path=package.path,
            extension=package.extension,
            sha256=package.sha256,
            seal=package.seal,
            fidelity="calamari" if package.reference.as_calamari else "full",
        )

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Unbuffered: the readers ask for large pieces."""
        try:
            file = self.path.open("rb", buffering=0)
        except OSError as error:
            raise PackageError(f"{self.name} cannot be read: {error.strerror}; check {self.path}") from error
        with file:
            yield file

    def verified(self, file: BinaryIO) -> str:
        """The file's stamp, its content being what was acquired: by the seal, else by a new hash."""
        status = os.fstat(file.fileno())
        if self.sha256 and seal_of(status) != self.seal:
            if hash_stream(file) != self.sha256:
                raise PackageError(f"{self.name} has changed in the cache since it was acquired; run again")
            file.seek(0)
        return stamp_of(status)

    def check_unchanged(self, file: BinaryIO, stamp: str) -> None:
        """Nobody wrote to the file while it was read."""
        if stamp_of(os.fstat(file.fileno())) != stamp:
            raise PackageError(f"{self.name} changed while it was extracted; run again")


@contextmanager
def _beside(into: Path) -> Iterator[Path]:
    """A new folder beside `into` (in it, if that is a mount of its own), for its owner only, gone at the end."""
    into.parent.mkdir(parents=True, exist_ok=True)
    staging = _place(into) / f".{into.name[:60]}.{uuid.uuid4().hex}.partial"
    staging.mkdir(mode=0o700)
    try:
        yield staging
    finally:
        if staging.exists():
            shutil.rmtree(staging, ignore_errors=True)


def _place(into: Path) -> Path:
    is_own_mount = into.is_dir() and not into.is_symlink() and into.stat().st_dev != into.parent.stat().st_dev
    return into if is_own_mount else into.parent


def _write(
    file: BinaryIO,
    source: _Source,
    staging: Path,
    limits: Limits,
    progress: ByteProgress | None,
    fidelity: Fidelity | None,
) -> Extracted:
    size = os.fstat(file.fileno()).st_size
    budget = Budget(limits, size, staging)
    root = open_folder(staging)
    writer = TreeWriter(root, budget, keep_unix=(fidelity or source.fidelity) == "full")
    try:
        for entry in read_archive(file, source.extension, limits.entries):
            writer.add(entry)
            if progress:
                progress(min(file.tell(), size - 1), size)
        writer.finish()
        root.open_to_all()
    finally:
        writer.close()
        root.close()
    if progress:
        progress(size, size)
    return Extracted(files=writer.files, bytes=budget.written)


def _publish(staging: Path, into: Path) -> None:
    """Give the new tree its place: by one rename where nothing is there, else by joining."""
    if not os.path.lexists(into):
        staging.rename(into)
        return
    if into.is_symlink() or not into.is_dir():
        raise Conflict(name=into.name, reason="is no folder")
    with _opened(staging) as source, _opened(into) as target:
        join(source, target)


@contextmanager
def _opened(path: Path) -> Iterator[Folder]:
    folder = open_folder(path)
    try:
        yield folder
    finally:
        folder.close()
