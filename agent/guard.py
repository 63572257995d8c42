"""A second process that watches over a swap: if the run dies between stop and start, it puts things right.

The guard lives in a session of its own and holds, by inheritance, the slot's lock. Its standard input closes
when the run dies, however it dies; then it does what the next run would do: `agent/recovery.py`. A run that
ends in order ends its guard.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.errors import DockwrightError
from agent.journal import Journal
from agent.plugins import connect
from agent.recovery import recover


@contextmanager
def guarded(home: Path, host: str, slot: str, lock: int) -> Iterator[None]:
    """Hold a guard over the slot for the time of the block. `lock` is the slot lock's descriptor."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "agent.guard", str(home), host, slot],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=(lock,) if hasattr(os, "fork") else (),
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def main(arguments: list[str]) -> int:
    """Wait for the run to die, then recover its slot."""
    home, host, slot = arguments
    sys.stdin.buffer.read()
    journal = Journal(Path(home) / "journal.db")
    try:
        recover(slot, journal, lambda: connect(host), lambda _: None)
    except DockwrightError:
        return 1
    finally:
        journal.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
