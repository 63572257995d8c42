"""One deployment, in a process of its own: the same `dockwright run` as by hand, its events kept in a file.

Started by the listener, but not in need of it: it goes on when the listener dies, and the next listener reads the
same files. It ends the run when somebody cancels it, on SIGTERM, or when its time is up, lets the run undo what it
had begun, and leaves no process behind.

    python -m agent.service.child HOME FOLDER HOST
"""

from __future__ import annotations

import base64
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType

import msgspec

from agent.durable import replace_file
from agent.errors import EXIT_DEFECT, DockwrightError, InputError, StorageError
from agent.service import processes
from agent.service.log import LARGEST_LOG, LogWriter
from agent.service.protocol import DeploymentRequest, State
from agent.service.record import (
    CANCEL,
    LOG,
    Progress,
    cancelled_by,
    claim,
    now,
    read_accepted,
    read_progress,
    write_progress,
)
from agent.service.sealing import open_sealed
from agent.workspace import WorkFolder, work_folder

GRACE_SECONDS = 60.0
"""How long a run may take to undo what it had begun."""

GUARD_SECONDS = 90.0
"""How long the guard of a run that was killed may take to put the old container back."""

Pieces = queue.Queue[tuple[str, bytes]]

END_ATTEMPTS = 600
"""How often, a second apart, it is tried to write down the end."""

PIECES = 16
"""So many pieces of output wait in memory before the run has to."""


def main(arguments: list[str]) -> int:
    """Run the deployment whose folder this is, to its end."""
    home, folder, host = Path(arguments[0]), Path(arguments[1]), arguments[2]
    processes.adopt_orphans()
    stop = _Stop(folder)
    held = claim(folder)
    progress = read_progress(folder)
    if held is None or progress.state != "accepted":
        return 0  # another child has it, or had it: nothing is run twice
    progress.state, progress.started = "running", progress.started or now()
    write_progress(folder, progress)
    try:
        _run(home, folder, host, progress, stop)
    except DockwrightError as error:
        progress.state, progress.error, progress.exit_code = "failed", str(error), error.exit_code
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        progress.state, progress.error, progress.exit_code = "failed", f"a defect in dockwright ({text})", EXIT_DEFECT
    processes.end_descendants(processes.is_guard, GUARD_SECONDS)
    progress.finished = now()
    _once_there_is_room(lambda: write_progress(folder, progress))
    return 0


class _Stop:
    """Whether somebody wants it to end."""

    def __init__(self, folder: Path) -> None:
        self._cancel = folder / CANCEL
        self._signalled = False
        signal.signal(signal.SIGTERM, self._handle)

    @property
    def wanted(self) -> bool:
        return self._signalled or self._cancel.exists()

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._signalled = True


def _once_there_is_room(write: Callable[[], None]) -> None:
    """Write down how it ended; on a disk that is full, as soon as there is room."""
    for _ in range(END_ATTEMPTS):
        with suppress(StorageError):
            return write()
        time.sleep(1)
    return write()


def _run(home: Path, folder: Path, host: str, progress: Progress, stop: _Stop) -> None:
    accepted = read_accepted(folder)
    request = accepted.request
    with work_folder(home) as work:
        command = _command(home, host, accepted.id, request, work)
        with LogWriter(folder / LOG, progress, lambda: _note(folder, progress), _largest_log()) as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            ended_by = _follow(process, log, stop, request.time_limit)
        progress.exit_code = process.returncode if process.returncode >= 0 else 128 - process.returncode
    progress.state = _state(ended_by, progress.exit_code, cancelled=bool(cancelled_by(folder)))
    if progress.state == "timed-out":
        progress.error = f"it took longer than {request.time_limit:g} s and was ended; what it had begun was undone"
    elif progress.state == "cancelled":
        progress.error = f"cancelled by {cancelled_by(folder) or 'the machine'}; what had begun was undone"


def _note(folder: Path, progress: Progress) -> None:
    """Write down how far it is. Where the disk has no room for that, it is for the run to say what it cannot do."""
    with suppress(StorageError):
        write_progress(folder, progress)


def _largest_log() -> int:
    """Bytes of a log that are kept, by DOCKWRIGHT_LARGEST_LOG."""
    text = os.environ.get("DOCKWRIGHT_LARGEST_LOG", "")
    if text and not (text.isascii() and text.isdigit()):
        raise InputError(f"DOCKWRIGHT_LARGEST_LOG is '{text}'; give a number of bytes to the listener")
    return int(text or LARGEST_LOG)


def _state(ended_by: str, exit_code: int, *, cancelled: bool) -> State:
    if exit_code == 0:
        return "succeeded"
    if ended_by == "time":
        return "timed-out"
    return "cancelled" if ended_by == "signal" or cancelled else "failed"


def _command(home: Path, host: str, deployment: str, request: DeploymentRequest, work: WorkFolder) -> list[str]:
    common = [sys.executable, "-P", "-m", "agent.cli"]
    place = ["--home", str(home), "--host", host, "--output", "events"]
    if request.command == "rollback":
        target = ["--to", request.to] if request.to else []
        slot = ["--slot", request.slot] if request.slot else []
        return [*common, "rollback", *slot, *target, *place]
    variables = work.scratch(1 << 20)[0] / "variables.json"
    replace_file(variables, _variables(home, deployment, request))
    bundle = _staged_bundle(home, request, work.path / "pushed")
    return [*common, request.command, str(bundle), "--variables", str(variables), *place]


def _variables(home: Path, deployment: str, request: DeploymentRequest) -> bytes:
    if not request.variables:
        return b"[]"
    try:
        sealed = base64.b64decode(request.variables, validate=True)
    except ValueError as error:
        raise InputError("the variables are not in base64; send the deployment again") from error
    return open_sealed(sealed, home / "service", deployment)


def _staged_bundle(home: Path, request: DeploymentRequest, into: Path) -> Path:
    """The bundle's folder, with the packages that were sent beside it put in."""
    from agent.packages import extract
    from agent.service.blobs import Blobs

    blobs = Blobs(home / "service" / "blobs")
    named = into.with_suffix(".zip")
    os.link(blobs.verified(request.bundle), named)
    extract(named, into)
    for package in request.packages:
        folder = into / "packages"
        folder.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            os.link(blobs.verified(package.sha256), folder / package.name)
    return into


def _follow(process: subprocess.Popen[bytes], log: LogWriter, stop: _Stop, time_limit: float) -> str:
    """Keep every line until the run has ended; what ended it: "itself", "signal" or "time"."""
    deadline = time.monotonic() + time_limit
    ended_by, kill_at = "itself", float("inf")
    for _ in _lines(process, log):
        moment = time.monotonic()
        if ended_by == "itself" and (stop.wanted or moment > deadline):
            ended_by, kill_at = ("signal" if stop.wanted else "time"), moment + GRACE_SECONDS
            process.terminate()
        if moment > kill_at:
            process.kill()
            kill_at = float("inf")
    process.wait()
    return ended_by


def _lines(process: subprocess.Popen[bytes], log: LogWriter) -> Iterator[None]:
    """Read both streams; comes up for air after each piece, and every 0.2 s, until the process is gone."""
    pieces: Pieces = queue.Queue(PIECES)
    keepers = {"events": log.events, "errors": log.errors}
    for name, stream in (("events", process.stdout), ("errors", process.stderr)):
        assert stream is not None
        threading.Thread(target=_read, args=(stream.fileno(), name, pieces), daemon=True).start()
    closing = False
    while True:
        gone = process.poll() is not None  # asked first: what it printed is then in the pipes
        try:
            name, data = pieces.get(timeout=0.02 if closing or gone else 0.2)
            keepers[name](data)
            closing = closing or not data
        except queue.Empty:
            if gone:  # though somebody else may still hold the other end
                break
        yield
    _once_there_is_room(log.finish)


def _read(descriptor: int, name: str, pieces: Pieces) -> None:
    """Each stream has a thread of its own: Windows cannot wait for two pipes at once."""
    data = b"-"
    while data:
        data = os.read(descriptor, 1 << 16)
        pieces.put((name, data))


if __name__ == "__main__":
    with suppress(msgspec.MsgspecError):
        sys.exit(main(sys.argv[1:]))
    sys.exit(EXIT_DEFECT)
