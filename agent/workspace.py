"""Work folders under the home: one a run, removed at its end, or by the next run if it died."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

from agent.errors import InputError, StorageError
from agent.lock import exclusive, try_lock
from agent.user import user_home

MEMORY = Path("/dev/shm")  # noqa: S108  where Linux has a file system in memory; folders in it are made by mkdtemp


def default_home() -> Path:
    """`$DOCKWRIGHT_HOME`, else `.dockwright` in the user's home. InputError if there is neither."""
    named, home = os.environ.get("DOCKWRIGHT_HOME"), user_home()
    if named:
        return Path(named)
    if home is None:
        raise InputError("this user has no home folder; give --home, or set DOCKWRIGHT_HOME")
    return home / ".dockwright"


class WorkFolder:
    """A private folder for one run, and room in memory beside it where there is plenty."""

    def __init__(self, home: Path) -> None:
        self._held = [_HeldFolder(home / "work", "run-")]
        self._removals: list[Thread] = []

    @property
    def path(self) -> Path:
        return self._held[0].path

    def scratch(self, size: int) -> tuple[Path, ...]:
        """New folders for about `size` bytes, the best first, one on disk always last.

        In memory files are made faster, and configured secrets do not touch the disk.
        """
        folders = [Path(tempfile.mkdtemp(prefix="scratch-", dir=self.path))]
        if _fits_in_memory(size):
            with suppress(StorageError, OSError):
                self._held.append(_HeldFolder(MEMORY, f"dockwright-{_user()}-"))
                folders.insert(0, self._held[-1].path)
        return tuple(folders)

    def discard(self, folder: Path) -> None:
        """Remove a folder that is not needed any more, beside whatever happens next."""
        removal = Thread(target=shutil.rmtree, args=(folder,), kwargs={"ignore_errors": True})
        removal.start()
        self._removals.append(removal)

    def remove(self) -> None:
        """Remove all of it."""
        for removal in self._removals:
            removal.join()
        for held in self._held:
            held.remove()


@contextmanager
def work_folder(home: Path) -> Iterator[WorkFolder]:
    """An empty folder that is gone afterwards. Errors of the disk inside it become StorageError."""
    with storing(home / "work"):
        (home / "work").mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = WorkFolder(home)
    try:
        with storing(folder.path):
            yield folder
    finally:
        folder.remove()


def sweep(home: Path) -> None:
    """Remove what runs that were killed have left, without waiting for the next run."""
    for parent, prefix in ((home / "work", "run-"), (MEMORY, f"dockwright-{_user()}-")):
        if parent.is_dir():
            with exclusive(parent / f".{prefix}lock"):
                _remove_abandoned(parent, prefix)


class _HeldFolder:
    """A folder that is known to be in use while its lock is held; what the dead left is removed first."""

    def __init__(self, parent: Path, prefix: str) -> None:
        with exclusive(parent / f".{prefix}lock"):
            _remove_abandoned(parent, prefix)
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            self._lock = try_lock(_lock_of(self.path))

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
        _lock_of(self.path).unlink(missing_ok=True)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def _remove_abandoned(parent: Path, prefix: str) -> None:
    for folder in parent.glob(f"{prefix}*"):
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != _user():
            continue
        descriptor = try_lock(_lock_of(folder))
        if descriptor is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)
            _lock_of(folder).unlink(missing_ok=True)


def _user() -> int:
    """The owner of what we make; Windows has no such number and shows all files as 0's."""
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _fits_in_memory(size: int) -> bool:
    """Whether a file system in memory has room, and the machine memory to spare, for four times as much."""
    try:
        free = shutil.disk_usage(MEMORY).free
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return False
    available = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)
    return os.path.ismount(MEMORY) and min(free, available) > 4 * size


_UNUSABLE = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EIO,
}


@contextmanager
def storing(place: Path) -> Iterator[None]:
    """Turn an error of the disk into one line that says where and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageError(
                f"the disk is full at {error.filename or place}; free some space and run again"
            ) from error
        if error.errno in _UNUSABLE:
            at = error.filename or place
            raise StorageError(
                f"{at} cannot be written ({error.strerror}); choose another --home or fix its rights"
            ) from error
        raise
