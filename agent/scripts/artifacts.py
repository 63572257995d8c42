"""Artifacts: files that scripts leave for the server, which collects them after the run has ended.

The folders that scripts work in go with the run, so each file is kept under the home, in its deployment's own folder.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from agent.errors import StorageError

_UNFIT = re.compile(r'[\x00-\x1f<>:"/\\|?*]+')
_KEPT_SECONDS = 30 * 86_400.0


def keep_artifact(source: Path, name: str, folder: Path) -> Path:
    """Copy a file into `folder`, under its name or one like it; where it now is. StorageError if it cannot be."""
    target = make_room(name, folder)
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        target.unlink(missing_ok=True)
        raise StorageError(
            f"the artifact {name} cannot be kept: {source}: {error.strerror}; see the path and the disk"
        ) from error
    return target


def make_room(name: str, folder: Path) -> Path:
    """A path in `folder` that is free, for an artifact of that name; what is a month old beside it is forgotten."""
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True, mode=0o700)
            _forget_old(folder.parent)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror}; see that the home is writable") from error
    return next(path for path in _candidates(folder / _fit(name)) if not path.exists())


def _fit(name: str) -> str:
    fit = _UNFIT.sub("_", name).strip(". ")
    return fit[-120:] or "artifact"


def _candidates(path: Path) -> Iterator[Path]:
    yield path
    number = 2
    while True:
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1


def _forget_old(folder: Path) -> None:
    limit = time.time() - _KEPT_SECONDS
    for each in folder.iterdir():
        if each.is_dir() and not each.is_symlink() and each.stat().st_mtime < limit:
            shutil.rmtree(each, ignore_errors=True)
