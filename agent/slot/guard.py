"""A second process that watches over a swap: if the run dies between stop and start, it puts things right.

The guard lives in a session of its own. Its standard input closes when the run dies, however it dies, or when the run
could not put back what it had stopped; then the guard does what the next command on the slot would do
(`agent/slot/recovery.py`), again and again: a machine that restarts is away for minutes. A run that ends in order
ends its guard.

Nearly all guards do nothing, while a swap is made for which somebody waits: so this module imports next to nothing,
and what a recovery needs only then.

    python -m agent.slot.guard HOME URL [SLOT]
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import DockwrightError, HalfDoneError

if TYPE_CHECKING:
    from agent.host import HostAddress

LONGEST_SECONDS = 1800.0
"""How long it is tried. A Windows machine that installs its updates may be away for a quarter of an hour."""

_PAUSE_SECONDS = 2.0


_APART = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) | getattr(subprocess, "CREATE_NO_WINDOW", 0)
"""On Windows, so that neither Ctrl-C nor the end of a console ends it; elsewhere it has a session of its own."""


@contextmanager
def guarded(home: Path, host: HostAddress, slot: str) -> Iterator[None]:
    """Hold a guard over the slot for the time of the block; it stays if what was stopped could not be put back."""
    process = start_guard(home, host, slot)
    assert process.stdin is not None
    try:
        yield
    except HalfDoneError:
        process.stdin.close()
        raise
    except BaseException:
        _end(process)
        raise
    else:
        _end(process)


def start_guard(home: Path, host: HostAddress, slot: str = "") -> subprocess.Popen[bytes]:
    """One that waits until its standard input is closed. Without a slot it is for all of that host."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "agent.slot.guard", str(home), host.url, *([slot] if slot else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        creationflags=_APART,
    )
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it was killed; the block is worth more than its guard
        process.stdin.write(host.password.encode() + b"\0")
        process.stdin.flush()
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.kill()
    process.wait()
    process.stdin.close()


def main(arguments: list[str]) -> int:
    """Wait until it is needed, then put things right. The host's password comes first on standard input."""
    home, url, *slot = arguments
    password, _, _ = sys.stdin.buffer.read().partition(b"\0")
    return _put_right(Path(home), url, password.decode(), *slot)


def _put_right(home: Path, url: str, password: str, slot: str = "") -> int:
    from agent.host import HostAddress
    from agent.report import silent_report
    from agent.slot.place import settle

    host, report = HostAddress(url=url, password=password), silent_report()
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        with suppress(DockwrightError):
            if settle(home, host, report, slot):
                return 0
        time.sleep(_PAUSE_SECONDS)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
