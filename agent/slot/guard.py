"""A second process that watches over a swap: if the run dies between stop and start, it puts things right.

The guard lives in a session of its own and holds, by inheritance, the slot's lock. Its standard input closes
when the run dies, however it dies; then it does what the next run would do: `agent/slot/recovery.py`. A run that
ends in order ends its guard.

Nearly all guards do nothing, while a swap is made for which somebody waits: so this module imports next to nothing,
and what a recovery needs only then.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.host import HostAddress


@contextmanager
def guarded(home: Path, host: HostAddress, slot: str, lock: int) -> Iterator[None]:
    """Hold a guard over the slot for the time of the block. `lock` is the slot lock's descriptor."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "agent.slot.guard", str(home), host.url, slot],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=(lock,) if hasattr(os, "fork") else (),
    )
    assert process.stdin is not None
    try:
        process.stdin.write(host.password.encode() + b"\0")
        process.stdin.flush()
        yield
    finally:
        process.kill()
        process.wait()
        process.stdin.close()


def main(arguments: list[str]) -> int:
    """Wait for the run to die, then recover its slot. The host's password comes first on standard input."""
    home, url, slot = arguments
    password, _, _ = sys.stdin.buffer.read().partition(b"\0")
    return _recovered(Path(home), url, slot, password.decode())


def _recovered(home: Path, url: str, slot: str, password: str) -> int:
    from agent.errors import DockwrightError
    from agent.host import HostAddress
    from agent.journal import Journal
    from agent.plugins import connect
    from agent.slot.recovery import recover
    from agent.workspace import sweep

    host = HostAddress(url=url, password=password)
    journal = Journal(home / "journal.db", host=url)
    try:
        recover(slot, journal, lambda: connect(host), lambda _: None)
        sweep(home)
    except DockwrightError:
        return 1
    finally:
        journal.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
