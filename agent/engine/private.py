"""Folders for what no one else may read, in memory where there is such a place, and gone when they are done with."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from time import time

from agent.errors import StorageError

IN_MEMORY = Path("/dev/shm")  # noqa: S108  a private folder is made in it
_PREFIX = "dockwright-build-"
_ABANDONED_AFTER = 24 * 3600


@contextmanager
def private_folder(place: Path | None = None) -> Iterator[Path]:
    """An empty folder under `place`, or in memory; it is removed whatever happens."""
    place = place or (IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else Path(gettempdir()))
    _remove_abandoned(place)
    try:
        made = TemporaryDirectory(prefix=_PREFIX, dir=place, ignore_cleanup_errors=True)
    except OSError as error:
        raise StorageError(f"no private folder can be made for the build ({error.strerror}); make room") from error
    with made as name:
        yield Path(name)


def _remove_abandoned(place: Path) -> None:
    """What a process that was killed left. A build reads it when it begins, so after a day nobody needs it."""
    for folder in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            status = folder.lstat()
            mine = not hasattr(os, "getuid") or status.st_uid == os.getuid()
            if mine and stat.S_ISDIR(status.st_mode) and time() - status.st_mtime > _ABANDONED_AFTER:
                shutil.rmtree(folder, ignore_errors=True)
