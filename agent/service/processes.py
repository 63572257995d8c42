"""What a deployment has started, whatever it called itself, so that nothing of it is left.

Where there is a /proc, orphans are adopted (Linux: "child subreaper"), so that nothing escapes by a session of its
own or by forking twice; what outlives even its adopter is known by a mark in its environment. Elsewhere, as on
Windows, only the run itself is ended: what it had started and left is not found.
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
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)

MARK = "DOCKWRIGHT_PUSHED"
"""The environment variable that every process of a deployment inherits; its value is the deployment's folder."""


def birth(process: int) -> str:
    """When the process began, in the kernel's own count; "" for one that is not there, or dead."""
    try:
        text = (_PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]


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
                    os.kill(process, _KILL)
        time.sleep(_POLL_SECONDS)


def kill_marked(mark: str, spared: Callable[[int], bool]) -> None:
    """Kill what bears the mark in its environment, after whoever could have ended it in order was killed."""
    while left := [process for process in marked(mark) if not spared(process)]:
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, _KILL)
        time.sleep(_POLL_SECONDS / 10)


def is_guard(process: int) -> bool:
    """Whether it puts an old container back (see `agent/slot/guard.py`): it outlives its run on purpose."""
    return "agent.slot.guard" in command_line(process)


def marked(mark: str) -> list[int]:
    """What bears that mark and still runs."""
    found = []
    for folder in _PROC.glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return [process for process in found if birth(process)]


def _remaining() -> list[int]:
    """Our descendants, without the dead, who are buried here."""
    if not hasattr(os, "WNOHANG"):
        return []
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return [process for process in descendants(os.getpid()) if birth(process)]
