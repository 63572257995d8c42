"""Work folders under the home: one a run, removed at its end, or by the next run if it died."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from agent.errors import StorageError
from agent.lock import exclusive, try_lock

LOCK = ".lock"


def default_home() -> Path:
    """`$DOCKWRIGHT_HOME`, else `.dockwright` in the user's home."""
    return Path(os.environ.get("DOCKWRIGHT_HOME") or Path.home() / ".dockwright")


class WorkFolder:
    """A private folder for one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._removals: list[Thread] = []

    def discard(self, folder: Path) -> None:
        """Remove a folder inside that is not needed any more, beside whatever happens next."""
        removal = Thread(target=shutil.rmtree, args=(folder,), kwargs={"ignore_errors": True})
        removal.start()
        self._removals.append(removal)

    def remove(self) -> None:
        """Remove all of it."""
        for removal in self._removals:
            removal.join()
        shutil.rmtree(self.path, ignore_errors=True)


@contextmanager
def work_folder(home: Path) -> Iterator[WorkFolder]:
    """An empty folder that is gone afterwards. Errors of the disk inside it become StorageError."""
    parent = home / "work"
    with storing(parent):
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with exclusive(parent / LOCK):
            _remove_abandoned(parent)
            folder = WorkFolder(Path(tempfile.mkdtemp(prefix="run-", dir=parent)))
            descriptor = try_lock(folder.path / LOCK)
    try:
        with storing(folder.path):
            yield folder
    finally:
        if descriptor is not None:
            os.close(descriptor)
        folder.remove()


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
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            at = error.filename or place
            raise StorageError(
                f"{at} cannot be written ({error.strerror}); choose another --home or fix its rights"
            ) from error
        raise


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.iterdir():
        descriptor = try_lock(folder / LOCK) if folder.is_dir() else None
        if descriptor is not None:
            os.close(descriptor)
            shutil.rmtree(folder, ignore_errors=True)
