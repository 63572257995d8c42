"""Processes that come and go: which one it was, and everything that it has started, whatever it called itself.

Where there is a /proc, orphans are adopted (Linux: "child subreaper"), so that nothing escapes by a session of its
own or by forking twice. Elsewhere only the process itself is known.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.05


def birth(process: int) -> str:
    """When the process began, in the kernel's own count; with it a number that is used again is told apart.

    "" for a process that is not there.
    """
    try:
        text = (_PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]


def alive(process: int, born: str) -> bool:
    """Whether that very process runs. Without a birth it is not known, and so not believed."""
    return bool(born) and birth(process) == born


def adopt_orphans() -> None:
    """From now on, what our children leave behind becomes ours."""
    if not _PROC.joinpath("self", "stat").exists():
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(process: int) -> list[int]:
    """Everything it has started that still runs, itself not included."""
    found: list[int] = []
    waiting = [process]
    while waiting:
        parent = waiting.pop()
        for task in (_PROC / str(parent) / "task").glob("*/children"):
            with suppress(OSError, ValueError):
                children = [int(word) for word in task.read_text(encoding="ascii").split()]
                found += children
                waiting += children
    return found


def command_line(process: int) -> list[str]:
    """Its arguments; empty for one that is gone."""
    try:
        return (_PROC / str(process) / "cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    except OSError:
        return []


def end_descendants(spared: Callable[[int], bool], seconds: float) -> None:
    """Kill what we have started, until nothing is left. Those `spared` have that long to end by themselves."""
    deadline = time.monotonic() + seconds
    while left := _remaining():
        for process in left:
            if time.monotonic() > deadline or not spared(process):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(process, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)


def kill_session(session: int) -> None:
    """Kill what is left of a session whose leader is dead."""
    for folder in _PROC.glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == session:
                os.kill(int(folder.name), signal.SIGKILL)


def _remaining() -> list[int]:
    """Our descendants, without the dead, who are buried here."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return [process for process in descendants(os.getpid()) if birth(process)]
