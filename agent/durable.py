"""Small files that are whole or not there, whenever the power goes."""

from __future__ import annotations

import os
from pathlib import Path

from agent.errors import StorageError


def replace_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put `data` in the file's place, whole or not at all, with its rights from the beginning."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}; see its rights and the disk") from error
