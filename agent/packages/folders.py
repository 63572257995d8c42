"""Writing below a folder without ever following a link: each step down is made from the folder it starts in.

POSIX systems give descriptors of folders for that. Elsewhere paths must do: each component is looked at before
it is entered, and no links are made.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol

NodeKind = Literal["file", "folder", "link", "other"]

FILE_MODE = 0o644
EXECUTABLE_MODE = FOLDER_MODE = 0o755
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_OLD_FILE = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)


class Folder(Protocol):
    """An open folder. Names are single components; failures are OSErrors."""

    def enter(self, name: str) -> Folder:
        """The folder of that name; an OSError where it is a link or a file."""
        ...

    def make(self, name: str) -> Folder:
        """The folder of that name, made if need be."""
        ...

    def create(self, name: str) -> int:
        """A descriptor of a new file; FileExistsError where anything has the name."""
        ...

    def read(self, name: str) -> int:
        """A descriptor of an existing file, not of one behind a link."""
        ...

    def link(self, name: str, target: str) -> None: ...

    def kind(self, name: str) -> NodeKind | None: ...

    def names(self) -> Iterator[str]: ...

    def move(self, name: str, into: Folder) -> None:
        """Give a file, link or folder to another folder of the same sort, in place of a file or link there."""
        ...

    def open_to_all(self) -> None:
        """Let everybody read it, as the folders made in it."""
        ...

    def close(self) -> None: ...


def open_folder(path: Path) -> Folder:
    """The folder at `path`, whose last component may not be a link."""
    if os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW"):
        return DescriptorFolder(os.open(path, _FOLDER))
    return PathFolder(path)


class DescriptorFolder:
    """A folder by its descriptor: what lies at its path meanwhile does not matter."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def enter(self, name: str) -> DescriptorFolder:
        return DescriptorFolder(os.open(name, _FOLDER, dir_fd=self._descriptor))

    def make(self, name: str) -> DescriptorFolder:
        try:
            os.mkdir(name, FOLDER_MODE, dir_fd=self._descriptor)
        except FileExistsError:
            return self.enter(name)
        made = self.enter(name)
        made.open_to_all()
        return made

    def create(self, name: str) -> int:
        return os.open(name, _NEW_FILE, 0o600, dir_fd=self._descriptor)

    def read(self, name: str) -> int:
        return os.open(name, _OLD_FILE, dir_fd=self._descriptor)

    def link(self, name: str, target: str) -> None:
        os.symlink(target, name, dir_fd=self._descriptor)

    def kind(self, name: str) -> NodeKind | None:
        try:
            return _kind(os.stat(name, dir_fd=self._descriptor, follow_symlinks=False))
        except FileNotFoundError:
            return None

    def names(self) -> Iterator[str]:
        return iter(os.listdir(self._descriptor))  # noqa: PTH208  a descriptor is no path

    def move(self, name: str, into: Folder) -> None:
        assert isinstance(into, DescriptorFolder)
        os.rename(name, name, src_dir_fd=self._descriptor, dst_dir_fd=into._descriptor)

    def open_to_all(self) -> None:
        os.chmod(self._descriptor, FOLDER_MODE)  # noqa: PTH101  a descriptor is no path

    def close(self) -> None:
        os.close(self._descriptor)


class PathFolder:
    """A folder by its path, for systems without descriptors of folders."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if _kind(path.lstat()) != "folder":
            raise NotADirectoryError(20, "is no folder", str(path))

    def enter(self, name: str) -> PathFolder:
        return PathFolder(self._path / name)

    def make(self, name: str) -> PathFolder:
        path = self._path / name
        path.mkdir(exist_ok=True)
        return PathFolder(path)

    def create(self, name: str) -> int:
        return os.open(self._path / name, _NEW_FILE, 0o600)

    def read(self, name: str) -> int:
        path = self._path / name
        if _kind(path.lstat()) != "file":
            raise OSError(22, "is no file", str(path))
        return os.open(path, _OLD_FILE)

    def link(self, name: str, target: str) -> None:  # noqa: ARG002  none is made
        raise OSError(95, "symbolic links are not made on this system", str(self._path / name))

    def kind(self, name: str) -> NodeKind | None:
        try:
            return _kind((self._path / name).lstat())
        except FileNotFoundError:
            return None

    def names(self) -> Iterator[str]:
        return iter([path.name for path in self._path.iterdir()])

    def move(self, name: str, into: Folder) -> None:
        assert isinstance(into, PathFolder)
        (self._path / name).replace(into._path / name)

    def open_to_all(self) -> None:
        """Its rights come from the folder above it."""

    def close(self) -> None:
        """Nothing is open."""


def _kind(status: os.stat_result) -> NodeKind:
    """A Windows junction, or any other reparse point, counts as a link."""
    if stat.S_ISLNK(status.st_mode) or getattr(status, "st_file_attributes", 0) & 0x400:
        return "link"
    if stat.S_ISDIR(status.st_mode):
        return "folder"
    return "file" if stat.S_ISREG(status.st_mode) else "other"
