"""The tree under transformation: read and changed without ever leaving it, and written only at the end.

Features read and write through a `Workspace`. What they write is staged, and seen by the features after them;
`commit` then replaces the files that really differ. So a failure in any feature leaves every file as it was.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from agent.errors import StorageError, TransformError
from agent.transform.changes import ChangedFile
from agent.transform.globs import is_literal, matching, normalise

MAXIMUM_FILE_BYTES = 256 * 1024 * 1024
MAXIMUM_STAGED_BYTES = 1024 * 1024 * 1024


class Workspace:
    """The folders that features work in: the tree (`root`) and, after it, Calamari's additional paths.

    Paths given out are absolute and have no symbolic links left in them. Errors are TransformError.
    """

    def __init__(self, root: Path, additional: tuple[Path, ...] = ()) -> None:
        self.root = _folder(root)
        folders = [(self.root / path).resolve() for path in additional]
        self.roots = tuple(dict.fromkeys([self.root, *(folder for folder in folders if folder.is_dir())]))
        self._listings: dict[Path, tuple[str, ...]] = {}
        self._before: dict[Path, bytes] = {}
        self._staged: dict[Path, bytes] = {}
        self._resolved: set[Path] = set()

    def find(self, pattern: str) -> tuple[Path, ...]:
        """The files that match a target, each once, the tree's own first. None is no error; leaving the tree is."""
        found: dict[Path, None] = {}
        pattern = self._relative_pattern(pattern)
        for root in self.roots:
            if is_literal(pattern):
                names = [pattern] if _is_file(root / pattern) else []
            else:
                names = matching(pattern, self.listing(root))
            found.update(dict.fromkeys(self.resolve(root / name) for name in names))
        return tuple(found)

    def listing(self, root: Path) -> tuple[str, ...]:
        """The names (posix, relative, sorted) of all files below one of the roots; linked folders stay closed."""
        if root not in self._listings:
            self._listings[root] = tuple(sorted(_walk(root)))
        return self._listings[root]

    def resolve(self, path: Path) -> Path:
        """The real path of a file; TransformError if links lead out of the roots."""
        if path in self._resolved:
            return path
        try:
            real = path.resolve()
        except (OSError, RuntimeError) as error:
            raise TransformError(f"{self.name(path)} cannot be followed to a file; check its links") from error
        if not any(real.is_relative_to(root) for root in self.roots):
            raise TransformError(
                f"{self.name(path)} is a link that leads out of the package; put the file itself there"
            )
        self._resolved.add(real)
        return real

    def is_folder(self, target: str) -> bool:
        """Whether a target names a folder of the tree."""
        folder = self.root / normalise(target)
        return is_literal(target) and len(target) < 4096 and folder.is_relative_to(self.root) and folder.is_dir()

    def name(self, path: Path) -> str:
        """How messages and changes call a file: posix, relative to the tree, absolute outside of it."""
        name = (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()
        return os.fsencode(name).decode("utf-8", "replace")

    def read(self, path: Path) -> bytes:
        """The file's bytes, as the features so far have left them."""
        path = self.resolve(path)
        if path in self._staged:
            return self._staged[path]
        return _read(path, self.name(path))

    def write(self, path: Path, data: bytes) -> bool:
        """Stage new bytes for a file; whether they differ from what `read` gives."""
        path = self.resolve(path)
        current = self.read(path)
        if current == data:
            return False
        if path not in self._before:
            _require_writable(path, self.name(path))
            self._before[path] = current
        self._staged[path] = data
        if sum(map(len, self._staged.values())) > MAXIMUM_STAGED_BYTES:
            raise TransformError("the changed files come to more than 1 GB; let the targets match fewer files")
        return True

    def changed(self) -> tuple[ChangedFile, ...]:
        """The files whose bytes differ from what they were, in the order of their first change."""
        return tuple(
            ChangedFile(path=self.name(path), before=before, after=self._staged[path])
            for path, before in self._before.items()
            if before != self._staged[path]
        )

    def commit(self) -> tuple[ChangedFile, ...]:
        """Write what was staged: first all new files beside the old ones, then each in the place of its old one."""
        changed = self.changed()
        waiting: list[tuple[str, Path]] = []
        try:
            for path, before in self._before.items():
                if before != self._staged[path]:
                    waiting.append((_write_beside(path, self._staged[path]), path))
            while waiting:
                os.replace(*waiting[0])  # noqa: PTH105  the atomic one, by name
                del waiting[0]
        except OSError as error:
            raise _write_error(error, waiting[0][1] if waiting else self.root) from error
        finally:
            for beside, _ in waiting:
                Path(beside).unlink(missing_ok=True)
        return changed

    def _relative_pattern(self, pattern: str) -> str:
        pattern = normalise(pattern)
        for root in self.roots:
            if pattern.startswith(root.as_posix() + "/"):
                pattern = pattern[len(root.as_posix()) + 1 :]
        path = PurePosixPath(pattern)
        if pattern.startswith("/") or (len(pattern) > 1 and pattern[1] == ":") or ".." in path.parts:
            raise TransformError(f"the target '{pattern}' leads out of the package; name files inside it")
        return pattern


def _folder(root: Path) -> Path:
    if not root.is_dir():
        raise TransformError(f"{root} is not a folder; the transforms need the extracted package")
    return root.resolve()


def _walk(root: Path) -> Iterator[str]:
    """Every file, links to files included. Folders are listed by a stack of our own: they may nest deeply."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(root / folder) as entries:
                found = list(entries)
        except OSError as error:
            raise TransformError(
                f"the folder {root / folder} cannot be listed: {error.strerror}; check its rights"
            ) from error
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(f"{folder}{entry.name}/")
            elif entry.is_file(follow_symlinks=False) or (entry.is_symlink() and _is_file(Path(entry.path))):
                yield folder + entry.name


def _is_file(path: Path) -> bool:
    """Whether a path leads to a file; one that leads nowhere, in circles, or is too long does not."""
    try:
        return path.is_file()
    except OSError:
        return False


def _read(path: Path, name: str) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise TransformError(f"{name} is not a file; let the target name files only")
        if status.st_size > MAXIMUM_FILE_BYTES:
            raise TransformError(f"{name} has {status.st_size:,} bytes, too many to transform; narrow the target")
        return path.read_bytes()
    except OSError as error:
        raise TransformError(f"{name} cannot be read: {error.strerror}; check the package") from error


def _require_writable(path: Path, name: str) -> None:
    if not path.stat().st_mode & 0o222:
        raise TransformError(
            f"{name} is read-only; clear the attribute in the package, or take it out of the targets"
        )


def _write_beside(path: Path, data: bytes) -> str:
    try:
        descriptor, beside = tempfile.mkstemp(prefix=".dockwright-", dir=path.parent)
    except OSError as error:
        raise _write_error(error, path) from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        _keep_mode_and_owner(path, beside)
    except OSError as error:
        Path(beside).unlink(missing_ok=True)
        raise _write_error(error, path) from error
    return beside


def _keep_mode_and_owner(path: Path, beside: str) -> None:
    status = path.stat()
    if hasattr(os, "chown"):
        new = Path(beside).stat()
        if (new.st_uid, new.st_gid) != (status.st_uid, status.st_gid):
            os.chown(beside, status.st_uid, status.st_gid)
    Path(beside).chmod(stat.S_IMODE(status.st_mode))


def _write_error(error: OSError, path: Path) -> TransformError | StorageError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageError(f"{path} cannot be written: the disk is full; make room and deploy again")
    return TransformError(f"{path} cannot be written: {error.strerror}; check the permissions of its folder")
