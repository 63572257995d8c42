"""A deployment that prints without end: `python -m tests.service.floods [MEGABYTES]`.

What is kept of it is bounded on the disk and in memory, says where it was cut, and comes through to whoever follows.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent.report.events import Message
from agent.service import processes
from agent.service.log import LARGEST_LOG
from agent.service.protocol import DeploymentStatus
from agent.service.record import LOG, folder_name
from tests.service.conftest import Agent

LINE = "x" * 999


@dataclass(kw_only=True)
class Flood:
    """What became of it: sizes in bytes, lines as the client got them."""

    status: DeploymentStatus
    lines: int
    warnings: list[str]
    log: int
    listener: int = 0
    children: dict[str, int] = field(default_factory=dict)


def main(megabytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        agent = Agent(Path(folder) / "agent")
        agent.start()
        try:
            began = time.monotonic()
            done = flood(agent, megabytes * 1000, LARGEST_LOG)
        finally:
            agent.close()
    children = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in sorted(done.children.items()))
    print(
        f"{megabytes:,} MB printed in {time.monotonic() - began:.0f} s ({done.status.state}): the client got "
        f"{done.lines:,} lines and '{'; '.join(done.warnings)}'; log {done.log / 1e6:.0f} MB; at most in memory: "
        f"listener {done.listener / 1e6:.0f} MB, {children}"
    )


def flood(agent: Agent, kilobytes: int, largest: int) -> Flood:
    """Print so much, follow it, and look at what it costs. AssertionError if more is kept than `largest`."""
    client = agent.client(patience=60)
    do = f"line = {LINE!r}\nfor _ in range({kilobytes}):\n    report.info(line)"
    client.deploy("D-1", agent.request(client, agent.bundle(do), time_limit=7200))
    lines, warnings = 0, []
    with _watched(agent) as peaks:
        for event in client.follow("D-1"):
            if isinstance(event, Message):
                lines += event.text == LINE
                warnings += [event.text] if event.level == "warning" else []
    log = (agent.home / "service" / "deployments" / folder_name("D-1") / LOG).stat().st_size
    assert log <= largest + 10_000, log
    listener = peaks.pop("listener")
    return Flood(
        status=client.status("D-1"), lines=lines, warnings=warnings, log=log, listener=listener, children=peaks
    )


@contextmanager
def _watched(agent: Agent) -> Iterator[dict[str, int]]:
    """The largest that the listener and what it started have been, by name."""
    peaks = {"listener": 0}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.3):
            _note(peaks, "listener", agent.process)
            for process in processes.marked(folder_name("D-1")):
                _note(peaks, _name(process), process)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()


def _note(peaks: dict[str, int], name: str, process: int) -> None:
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
        size = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
        peaks[name] = max(size, peaks.get(name, 0))


def _name(process: int) -> str:
    return "child" if "agent.service.child" in processes.command_line(process) else "run"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
