"""Who uses what in the cache, so that nothing is removed under anybody: a held file for each process that does.

A lease is a file that its owner holds locked and that names the hashes in use. A dead owner holds nothing.
Naming a hash and removing one exclude each other by a lock that is held for a moment only.
"""

from __future__ import annotations

import os
import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.lock import exclusive, try_lock

LOCK = ".lock"
FOLDER = "leases"


class Lease:
    """One owner's hashes. Its file is made with the first of them, and free when the owner has gone."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._held: set[str] = set()
        self._descriptor: int | None = None

    def hold(self, sha256: str) -> None:
        """From now on nobody removes this content, be it there yet or not."""
        if sha256 in self._held:
            return
        with exclusive(self._root / LOCK):
            if self._descriptor is None:
                self._descriptor = _new(self._root / FOLDER)
                weakref.finalize(self, os.close, self._descriptor)
            os.write(self._descriptor, f"{sha256}\n".encode())
        self._held.add(sha256)


@contextmanager
def no_new_leases(root: Path) -> Iterator[frozenset[str]]:
    """The hashes that are in use. Nobody begins to use another one until the end of the block."""
    with exclusive(root / LOCK):
        yield frozenset(_leased(root / FOLDER))


def _leased(folder: Path) -> Iterator[str]:
    for path in folder.iterdir() if folder.is_dir() else ():
        descriptor = try_lock(path)
        if descriptor is None:
            yield from path.read_text(encoding="ascii").split()
        else:
            path.unlink(missing_ok=True)
            os.close(descriptor)


def _new(folder: Path) -> int:
    descriptor = try_lock(folder / uuid.uuid4().hex)
    assert descriptor is not None
    return descriptor
