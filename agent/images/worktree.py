"""Files of an image as a folder to transform, laid out by their paths in the image, and what became of them.

The folder's modes are for the transformation only; those of the image are kept beside.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent.errors import InputError, StorageError
from agent.images.contents import ImageFile
from agent.images.layer import LayerFile


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What differs from the image: files with new content, and paths of files that are gone."""

    files: tuple[LayerFile, ...] = ()
    deleted: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return (*(file.path for file in self.files), *self.deleted)


def lay_out(files: Sequence[ImageFile], tree: Path) -> None:
    """Write the files into an empty folder. A file found under several names is one, the others lead to it."""
    try:
        for file in files:
            path = tree / _name(file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
        for file in files:
            for name in file.names:
                _link(tree / name, tree / _name(file))
    except FileExistsError as error:
        raise InputError(f"{error.filename}: the globs find a file and a folder at one place; name fewer") from error
    except OSError as error:
        raise StorageError(f"{tree}: the image's files cannot be laid out ({error.strerror}); make room") from error


def take_back(files: Sequence[ImageFile], tree: Path) -> Changes:
    """What the transformation changed. InputError for a file that the image does not have."""
    known = {name for file in files for name in file.names} | {_name(file) for file in files}
    for path in tree.rglob("*"):
        name = path.relative_to(tree).as_posix()
        if name not in known and not path.is_dir():
            raise InputError(f"{name} is new; a configuration layer only changes files that the image has")
    changed: list[LayerFile] = []
    deleted: list[str] = []
    for file in files:
        path = tree / _name(file)
        if not path.is_file():
            deleted.append(file.path)
        elif (content := path.read_bytes()) != file.content:
            changed.append(LayerFile(path=file.path, content=content, attributes=file.attributes))
    return Changes(files=tuple(changed), deleted=tuple(deleted))


def _name(file: ImageFile) -> str:
    return file.path if file.path in file.names else file.names[0]


def _link(path: Path, target: Path) -> None:
    """Nothing to do where the other name is the same file, as it may be in a file system without case."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(target, path.parent))
