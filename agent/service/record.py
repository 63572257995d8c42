"""What the listener and the child that runs a deployment keep of it, in a folder of its own.

    request.json    what was asked, by whom, and the hash of the very body; written first, never changed
    progress.json   how far it is; written by the child, always whole
    log.jsonl       a line an event; written by the child, only ever appended to: a byte's place is a cursor
    cancel          who asked for the end of it; the child looks for it
    child.txt       what the child says beside that: nothing, unless it cannot even begin
    claim           locked by the child for as long as it lives, so that there is never a second one

The folder appears whole, by a rename: a deployment is either accepted or was never heard of.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from agent.durable import replace_file
from agent.errors import StorageError
from agent.lock import try_lock
from agent.service.protocol import FINAL, DeploymentRequest, DeploymentStatus, State

T = TypeVar("T")

REQUEST = "request.json"
PROGRESS = "progress.json"
LOG = "log.jsonl"
CANCEL = "cancel"
CHILD = "child.txt"
CLAIM = "claim"


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was taken. `digest` is of its body; the variables in it are sealed, and so stay sealed."""

    id: str
    digest: str
    request: DeploymentRequest
    by: str
    at: str


class Progress(msgspec.Struct, kw_only=True):
    """How far it is."""

    state: State = "accepted"
    stage: str = ""
    exit_code: int | None = None
    error: str = ""
    outputs: dict[str, str] = {}
    started: str = ""
    finished: str = ""
    completed: bool = False


def folder_name(deployment: str) -> str:
    """Where a deployment is kept: never its own name, which is somebody else's text."""
    return hashlib.sha256(deployment.encode()).hexdigest()[:40]


def read_accepted(folder: Path) -> Accepted:
    return _read(folder / REQUEST, Accepted)


def read_progress(folder: Path) -> Progress:
    """How far it is; one that nobody has begun yet is `accepted`."""
    path = folder / PROGRESS
    return _read(path, Progress) if path.exists() else Progress()


def write_progress(folder: Path, progress: Progress) -> None:
    replace_file(folder / PROGRESS, msgspec.json.encode(progress))


def status(folder: Path, known: Accepted | None = None) -> DeploymentStatus:
    """What the protocol says of it; `known` spares reading the request once more."""
    accepted, progress = known or read_accepted(folder), read_progress(folder)
    canceller = cancelled_by(folder)
    return DeploymentStatus(
        id=accepted.id,
        state=progress.state,
        command=accepted.request.command,
        stage=progress.stage,
        exit_code=progress.exit_code,
        error=progress.error,
        outputs=progress.outputs,
        slot=accepted.request.slot,
        accepted=accepted.at,
        started=progress.started,
        finished=progress.finished,
        by=accepted.by,
        cancelled_by=canceller,
        completed=progress.completed,
    )


def cancelled_by(folder: Path) -> str:
    """Who asked for the end of it, if anybody did."""
    try:
        return (folder / CANCEL).read_text(encoding="utf-8")
    except OSError:
        return ""


def claim(folder: Path) -> int | None:
    """The right to change how far it is, as a descriptor to close; None while a child has it."""
    return try_lock(folder / CLAIM)


def ended(progress: Progress) -> bool:
    return progress.state in FINAL


def now() -> str:
    """ISO 8601, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _read(path: Path, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=type_)
    except (OSError, msgspec.DecodeError) as error:
        raise StorageError(f"{path} cannot be read: {error}; remove its folder if it is damaged") from error
