"""Every deployment that was pushed, by its id: accepted once, then found again for ever after.

Used by one listener at a time, in one thread; the children write what is theirs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from agent.durable import replace_file
from agent.errors import DockwrightError, InputError, StorageError
from agent.service.protocol import DeploymentRequest, DeploymentStatus, is_id, is_sha256
from agent.service.record import (
    CANCEL,
    LOG,
    REQUEST,
    Accepted,
    Progress,
    ended,
    folder_name,
    now,
    read_accepted,
    read_progress,
    status,
    write_progress,
)

KEPT = 1000
"""So many ended deployments are remembered, and their logs if nobody has completed them."""

LONGEST_SECONDS = 7 * 24 * 3600


class ConflictError(DockwrightError):
    """A request that contradicts an earlier one."""


class BusyError(DockwrightError):
    """Too much is waiting already; try again in `seconds`."""

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


class Deployments:
    """The deployments under `folder`. At most `queue` of them wait at a time."""

    def __init__(self, folder: Path, queue: int = 100) -> None:
        self._folder = folder
        self._queue = queue
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._known = {path.name: _remembered(read_accepted(path)) for path in self._folders()}
        self._ended: set[str] = set()
        self._last = self._highest_sequences()

    def accept(self, deployment: str, body: bytes, request: DeploymentRequest, peer: str) -> tuple[Path, bool]:
        """Take a request; its folder, and whether it is new. The same id and body again change nothing.

        InputError for a request that cannot be meant; ConflictError for another body under a known id, or a sequence
        that is behind; BusyError for a full queue.
        """
        digest = hashlib.sha256(body).hexdigest()
        name = folder_name(deployment)
        if (known := self._known.get(name)) is not None:
            if known.digest != digest:
                raise ConflictError(f"{deployment} was asked for before, with another content; choose a new id")
            return self._folder / name, False
        _require_sound(request)
        if request.sequence < self._last.get(request.target, 0):
            raise ConflictError(f"{deployment} is older than what was asked for last for '{request.target}'")
        if len(self.waiting()) >= self._queue:
            raise BusyError("the agent has as many deployments waiting as it takes; try again later", seconds=10)
        accepted = Accepted(id=deployment, digest=digest, request=request, by=peer, at=now())
        self._write(name, accepted)
        return self._folder / name, True

    def find(self, deployment: str) -> Path | None:
        """The folder of a deployment, if it was ever asked for."""
        name = folder_name(deployment)
        return self._folder / name if name in self._known else None

    def same(self, deployment: str, body: bytes) -> bool:
        """Whether this very request was taken before."""
        known = self._known.get(folder_name(deployment))
        return known is not None and known.digest == hashlib.sha256(body).hexdigest()

    def all(self) -> list[DeploymentStatus]:
        """Every one that is remembered, the newest first."""
        ordered = sorted(self._known.items(), key=lambda item: item[1].at, reverse=True)
        return [status(self._folder / name, accepted) for name, accepted in ordered]

    def unfinished(self) -> list[Path]:
        """Those that have not ended, in the order they came."""
        left = []
        for name in self._by_age():
            if name in self._ended:
                continue
            if ended(read_progress(self._folder / name)):
                self._ended.add(name)  # an end is for ever: no need to look again
            else:
                left.append(self._folder / name)
        return left

    def waiting(self) -> list[Path]:
        """Those that nobody has begun."""
        return [folder for folder in self.unfinished() if read_progress(folder).state == "accepted"]

    def request_of(self, folder: Path) -> DeploymentRequest:
        return self._known[folder.name].request

    def note_cancel(self, folder: Path, peer: str) -> None:
        """Write down who wants the end of it; the first one counts."""
        if not (folder / CANCEL).exists():
            replace_file(folder / CANCEL, peer.encode())

    def end(self, folder: Path, progress: Progress) -> None:
        """Write down how it ended."""
        progress.finished = progress.finished or now()
        write_progress(folder, progress)

    def complete(self, folder: Path) -> None:
        """Everything about it is known elsewhere: its log may go. That it was done is still remembered."""
        progress = read_progress(folder)
        progress.completed = True
        write_progress(folder, progress)
        (folder / LOG).unlink(missing_ok=True)

    def forget_oldest(self) -> None:
        """Keep the memory of deployments bounded."""
        self.unfinished()
        done = [name for name in self._by_age() if name in self._ended]
        for name in done[: max(0, len(done) - KEPT)]:
            shutil.rmtree(self._folder / name, ignore_errors=True)
            del self._known[name]
            self._ended.discard(name)

    def blobs_in_use(self) -> set[str]:
        """What unfinished deployments are made of."""
        requests = [self.request_of(folder) for folder in self.unfinished()]
        return {
            sha256 for each in requests for sha256 in (each.bundle, *(package.sha256 for package in each.packages))
        }

    def _by_age(self) -> list[str]:
        return sorted(self._known, key=lambda name: self._known[name].at)

    def _folders(self) -> Iterator[Path]:
        for path in self._folder.iterdir():
            if path.name.startswith("."):
                shutil.rmtree(path, ignore_errors=True)  # the listener died before the rename: never accepted
            elif (path / REQUEST).is_file():
                yield path

    def _highest_sequences(self) -> dict[str, int]:
        highest: dict[str, int] = {}
        for accepted in self._known.values():
            target, sequence = accepted.request.target, accepted.request.sequence
            highest[target] = max(sequence, highest.get(target, 0))
        return highest

    def _write(self, name: str, accepted: Accepted) -> None:
        try:
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self._folder))
            replace_file(draft / REQUEST, msgspec.json.encode(accepted))
            draft.rename(self._folder / name)
            _sync(self._folder)
        except OSError as error:
            raise StorageError(f"the agent cannot keep the deployment: {error.strerror}; see its disk") from error
        self._known[name] = _remembered(accepted)
        target, sequence = accepted.request.target, accepted.request.sequence
        self._last[target] = max(sequence, self._last.get(target, 0))


def _remembered(accepted: Accepted) -> Accepted:
    """Without the variables: they may be large, and only the child needs them."""
    return msgspec.structs.replace(accepted, request=msgspec.structs.replace(accepted.request, variables=""))


def _require_sound(request: DeploymentRequest) -> None:
    """Nothing in it leads elsewhere, whoever handed it to us."""
    if not 0 < request.time_limit <= LONGEST_SECONDS:
        raise InputError("time_limit: seconds, more than 0 and at most a week")
    if request.command == "rollback":
        return
    for package in request.packages:
        if not is_id(package.name):
            raise InputError(f"packages: '{package.name[:100]}' is no file name")
    if not all(is_sha256(each) for each in (request.bundle, *(package.sha256 for package in request.packages))):
        raise InputError("bundle and packages: each needs a sha256 of 64 hexadecimal digits")


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk; Windows does it by itself, and cannot open one."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
