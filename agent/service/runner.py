"""Starts what was accepted, a few at a time, and sees every one to its end, whoever had started it.

A child outlives the listener: after a restart it is known by the claim that it holds. One that is gone without a
word was killed from outside. What a run had begun and could not undo, since it was killed or the machine restarted,
is undone by a guard, whom the listener sends out at its start and after each failure.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agent.errors import EXIT_DEFECT, EXIT_TERMINATED, DockwrightError
from agent.host import HostAddress
from agent.service import processes
from agent.service.deployments import Deployments
from agent.service.record import CHILD, Progress, claim, ended, read_progress
from agent.slot.guard import start_guard
from agent.workspace import sweep

TICK_SECONDS = 0.1

Log = Callable[[str], None]


class Runner:
    """Runs the deployments of one home on one host, at most `workers` at a time."""

    def __init__(self, deployments: Deployments, home: Path, host: str, workers: int, log: Log) -> None:
        self._deployments = deployments
        self._home = home
        self._host = host
        self._workers = workers
        self._log = log
        self._started: dict[Path, subprocess.Popen[bytes]] = {}
        self._guard: subprocess.Popen[bytes] | None = None
        self._wake = asyncio.Event()

    @property
    def running(self) -> int:
        """How many run now."""
        return len(self._started) + len(self._adopted())

    def wake(self) -> None:
        """Something was accepted or cancelled: look at once."""
        self._wake.set()

    async def serve(self) -> None:
        """Go on until cancelled. The children are left running then."""
        told = ""
        self._attempt(lambda: sweep(self._home))
        self._attempt(self._send_guard)
        while True:
            problem = self._attempt(self.look)
            if problem != told:
                self._log(problem or "the trouble is over")
            told = problem
            busy = bool(self._started or self._deployments.unfinished())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), TICK_SECONDS if busy else 60)
            self._wake.clear()

    def look(self) -> None:
        """See who has ended, and start who may."""
        for folder in {**self._started, **dict.fromkeys(self._deployments.unfinished())}:
            self._see_to_end(folder)
        for folder in self._deployments.waiting():
            if self.running >= self._workers:
                return
            if folder not in self._started and not self._slot_in_use(folder):
                self._start(folder)

    def cancel(self, folder: Path, peer: str) -> None:
        """Ask for its end. One that nobody has begun ends here; another undoes what it did first."""
        progress = read_progress(folder)
        if ended(progress):
            return
        self._deployments.note_cancel(folder, peer)
        if progress.state == "accepted" and folder not in self._started and (held := claim(folder)) is not None:
            try:
                self._never_begun(folder, peer)
            finally:
                os.close(held)
        self.wake()

    def _never_begun(self, folder: Path, peer: str) -> None:
        progress = read_progress(folder)
        if progress.state == "accepted":
            progress.state, progress.exit_code = "cancelled", EXIT_TERMINATED
            progress.error = f"cancelled by {peer} before it began"
            self._deployments.end(folder, progress)

    def _attempt(self, work: Callable[[], object]) -> str:
        """What was wrong with it, in one line: a disk that is full now has room again one day."""
        try:
            work()
        except (DockwrightError, OSError) as error:
            return str(error)
        return ""

    def _start(self, folder: Path) -> None:
        command = [sys.executable, "-P", "-m", "agent.service.child", str(self._home), str(folder), self._host]
        with (folder / CHILD).open("ab") as errors:
            self._started[folder] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env={**os.environ, processes.MARK: folder.name},
                start_new_session=True,
            )

    def _see_to_end(self, folder: Path) -> None:
        child = self._started.get(folder)
        if child is not None and child.poll() is None:
            return
        self._started.pop(folder, None)
        progress = read_progress(folder)
        if child is not None and progress.exit_code != 0:
            self._send_guard()
        if ended(progress) or (progress.state == "accepted" and (child is None or not child.returncode)):
            return  # it is over, or nobody has begun it: a child that found it claimed ends without a word
        held = claim(folder)
        if held is None:
            return  # a child of the listener before us has it
        try:
            progress = read_progress(folder)  # once more: it may have ended while we looked
            if not ended(progress):
                processes.kill_marked(folder.name, processes.is_guard)
                sweep(self._home)
                self._deployments.end(folder, _gone(folder, progress))
                self._send_guard()
        finally:
            os.close(held)

    def _send_guard(self) -> None:
        """It ends at once where there is nothing to put right."""
        if self._guard is None or self._guard.poll() is not None:
            self._guard = start_guard(self._home, HostAddress(url=self._host))
            assert self._guard.stdin is not None
            self._guard.stdin.close()

    def _adopted(self) -> list[Path]:
        """Those that run, and were started by a listener before this one."""
        folders = [folder for folder in self._deployments.unfinished() if folder not in self._started]
        return [folder for folder in folders if read_progress(folder).state == "running"]

    def _slot_in_use(self, folder: Path) -> bool:
        slot = self._deployments.request_of(folder).slot.lower()
        if not slot:
            return False
        others = [*self._started, *self._adopted()]
        return any(self._deployments.request_of(other).slot.lower() == slot for other in others)


def _gone(folder: Path, progress: Progress) -> Progress:
    if progress.state == "accepted":
        progress.error = (
            f"it could not be begun: {_last_words(folder) or 'its process ended at once'}; give it a new id"
        )
    else:
        progress.error = (
            "the process of this deployment was killed from outside; what it had begun is undone by its guard, "
            "or by the next command on the slot"
        )
    progress.state, progress.exit_code = "failed", EXIT_DEFECT
    return progress


def _last_words(folder: Path) -> str:
    """The last line that the child wrote where nobody listens."""
    with suppress(OSError):
        lines = (folder / CHILD).read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip()[:500] for line in reversed(lines) if line.strip()), "")
    return ""
