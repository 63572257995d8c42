"""Background processes that outlive us, and are recognised later without fail: by number and start time."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import msgspec

from agent.errors import HostError


class Process(msgspec.Struct, frozen=True):
    """`started` is in clock ticks since `boot`, so that a number used again is another process."""

    pid: int
    started: int
    boot: str


def spawn(arguments: Sequence[str], log: Path) -> Process:
    """Start it in a session of its own, its output appended to `log`."""
    with log.open("ab") as output:
        try:
            child = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            raise HostError(f"{arguments[0]}: cannot be started ({error.strerror})") from error
    started = _started(child.pid)
    child.returncode = 0  # it is meant to stay when we go, and is waited for in `terminate`
    return Process(pid=child.pid, started=started, boot=_boot())


def is_alive(process: Process) -> bool:
    return process.boot == _boot() and _started(process.pid) == process.started


def terminate(process: Process, *, seconds: float = 15) -> bool:
    """Ask it to end, kill it after `seconds`; False if it had ended before."""
    if not is_alive(process):
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
        deadline = monotonic() + seconds
        while is_alive(process):
            if monotonic() > deadline:
                break
            sleep(0.05)
        else:
            return True
    return True


def last_output(log: Path, lines: int = 5) -> list[str]:
    try:
        return log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    except OSError:
        return []


def _started(pid: int) -> int:
    """0 for one that has ended, be it that nobody has taken note yet."""
    with suppress(ChildProcessError):  # only a parent can, and need, take note that it ended
        os.waitpid(pid, os.WNOHANG)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == "Z" else int(fields[19])


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
