"""One run per slot: a lock file that the operating system frees when its holder dies, with the holder's name."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.engine_name import engine_name
from agent.errors import SlotBusyError, StorageError


@contextmanager
def slot_lock(
    home: Path, slot: str, holder: str, wait: float, waiting: Callable[[str], None], *, host: str = ""
) -> Iterator[None]:
    """Hold the slot on the host of that URL.

    `waiting` is told once who holds it, if somebody does. SlotBusyError, with the holder's name, after `wait`
    seconds.
    """
    key = f"{engine_name(host)} {slot}"
    path = home / "locks" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.lock"
    descriptor = _open(path)
    try:
        _acquire(descriptor, slot, wait, waiting)
        _name_holder(descriptor, holder)
        yield
    finally:
        os.close(descriptor)


def try_lock(path: Path) -> int | None:
    """Hold this file if nobody does, and return its descriptor; closing that frees it."""
    descriptor = _open(path)
    if _try(descriptor):
        return descriptor
    os.close(descriptor)
    return None


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold this file for a moment; waits for whoever holds it."""
    descriptor = _open(path)
    try:
        while not _try(descriptor):
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        return os.open(path, flags, 0o600)
    except OSError as error:
        raise StorageError(
            f"the lock {path} cannot be made: {error.strerror}; see that the home is writable"
        ) from error


def _acquire(descriptor: int, slot: str, wait: float, waiting: Callable[[str], None]) -> None:
    deadline = time.monotonic() + wait
    told = False
    while not _try(descriptor):
        holder = _holder(descriptor)
        if time.monotonic() >= deadline:
            raise SlotBusyError(
                f"the slot {slot} is held by {holder}; wait for it to end, or give --wait more than {wait:g} seconds"
            )
        if not told:
            waiting(holder)
            told = True
        time.sleep(0.1)


def _try(descriptor: int) -> bool:
    try:
        _lock_now(descriptor)
    except OSError:
        return False
    return True


try:
    import fcntl

    def _lock_now(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[attr-defined, unused-ignore]

except ImportError:  # Windows

    def _lock_now(descriptor: int) -> None:
        import msvcrt

        os.lseek(descriptor, 1_000_000, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]


def _holder(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, 500).decode(errors="replace") or "another run"


def _name_holder(descriptor: int, holder: str) -> None:
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, holder.encode())
