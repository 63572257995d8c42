"""Every request of a push, cut before and after it was delivered: `python -m tests.service.cuts [TIMES]`.

A cut request is made again, and so the plan cuts each one twice before it lets it pass. Every push must be executed
exactly once, with each line of its log told once, and the same result.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from agent.report.events import Message
from agent.service.client import AgentClient
from agent.service.push import Blob
from tests.service.chaos import Fault, chaos
from tests.service.conftest import Agent

PLANS: tuple[tuple[Fault, ...], ...] = (("before", "after", "none"), ("half", "after", "none"))
LINES = [f"line {number}" for number in range(5)]
TOGETHER = 3


@dataclass(kw_only=True)
class Cutter:
    """Goes through a plan again and again; counts."""

    plan: tuple[Fault, ...]
    cuts: int = 0
    requests: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._faults = itertools.cycle(self.plan)

    def __call__(self) -> Fault:
        with self._lock:
            fault = next(self._faults)
            self.cuts += fault != "none"
            self.requests += fault == "none"
            return fault


def main(times: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        agent = Agent(Path(folder) / "agent")
        agent.start()
        try:
            began = time.monotonic()
            done = pushes(agent, times)
        finally:
            agent.close()
        cuts, requests = sum(each.cuts for each in done), sum(each.requests for each in done)
        print(
            f"{times} pushes of {requests} requests, {cuts} cuts: every one executed once, with the same result "
            f"({time.monotonic() - began:.0f} s)"
        )


def pushes(agent: Agent, times: int) -> list[Cutter]:
    """So many pushes, a few at a time, each on a road of its own."""
    marks = agent.folder / "marks"
    marks.mkdir()
    do = (
        f"import time, uuid\nopen('{marks}/' + uuid.uuid4().hex, 'x').close()\n"
        "for i in range(5):\n    report.info(f'line {i}')\n    time.sleep(0.1)"
    )
    blobs = agent.bundle(do)
    with ThreadPoolExecutor(TOGETHER) as pool:
        done = list(pool.map(lambda number: _push(agent, blobs, number), range(times)))
    assert len(list(marks.iterdir())) == times, "a deployment was executed more than once, or never"
    return done


def _push(agent: Agent, blobs: tuple[Blob, ...], number: int) -> Cutter:
    cutter = Cutter(plan=PLANS[number % len(PLANS)])
    deployment = f"D-{number}"
    extra = agent.folder / f"extra-{number}.bin"
    extra.write_bytes(os.urandom(300_000))
    with chaos(agent.port, cutter) as port:
        client = AgentClient(f"https://127.0.0.1:{port}", agent.thumbprint, agent.own, patience=120)
        client.upload(extra, hashlib.sha256(extra.read_bytes()).hexdigest())
        client.deploy(deployment, agent.request(client, blobs, id=deployment))
        told = [event.text for event in client.follow(deployment) if isinstance(event, Message)]
        status = client.status(deployment)
        completed = client.complete(deployment)
        client.close()
    assert [text for text in told if text in LINES] == LINES, told
    assert (status.state, status.exit_code, status.outputs) == ("succeeded", 0, {"Answer": "42"}), status
    assert completed.completed
    return cutter


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
