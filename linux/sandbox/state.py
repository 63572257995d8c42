"""What a sandbox started, on disk, so that another process can end it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from agent.errors import StorageError
from linux.sandbox.processes import Process


class State(msgspec.Struct, omit_defaults=True):
    """Only what `up` itself started or made; what it found is not in here (but for `engine_socket`)."""

    engine_socket: str = ""
    engine: Process | None = None
    registry: Process | None = None
    registry_container: str = ""
    registry_port: int = 0
    base_images: list[str] = msgspec.field(default_factory=list)


def load_state(folder: Path) -> State:
    """An empty state if there is none yet."""
    path = folder / "state.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        return State()
    except (OSError, msgspec.DecodeError) as error:
        raise StorageError(f"{path}: cannot be read ({error}); remove it if nothing of it runs any more") from error


def save_state(folder: Path, state: State) -> None:
    path = folder / "state.json"
    beside = folder / "state.json.new"
    try:
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(state)) + b"\n")
        beside.replace(path)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written ({error.strerror})") from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One at a time: a second `up` waits for the first, and then finds what that made."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / "lock").open("w", encoding="ascii")
    except OSError as error:
        raise StorageError(f"{folder}: {error.strerror}; name another folder with --state") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
