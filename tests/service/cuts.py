"""Every request of a push, cut before and after it was delivered: `python -m tests.service.cuts [TIMES]`.

A cut request is made again, and so the plan cuts each one three times before it lets it pass. Every push must be
executed exactly once, with each line of its log told once, and the same result: through the client, as a server
embeds it, and through `dockwright push`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from agent.report.events import Message
from agent.service.client import AgentClient
from agent.service.push import Blob
from tests.service.chaos import Fault, chaos
from tests.service.conftest import VARIABLES, Agent

PLAN: tuple[Fault, ...] = ("before", "half", "after", "none")
LINES = [f"line {number}" for number in range(5)]
TOGETHER = 3


@dataclass(kw_only=True)
class Cutter:
    """Goes through the plan again and again; counts."""

    cuts: int = 0
    requests: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._faults = itertools.cycle(PLAN)

    def __call__(self) -> Fault:
        with self._lock:
            fault = next(self._faults)
            self.cuts += fault != "none"
            self.requests += fault == "none"
            return fault


Pushing = Callable[[Agent, int], list[Cutter]]


def main(times: int) -> None:
    _told("pushes", pushes, times)
    _told("times `dockwright push`", commands, times)


def _told(what: str, pushing: Pushing, times: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        agent = Agent(Path(folder) / "agent")
        agent.start()
        try:
            began = time.monotonic()
            done = pushing(agent, times)
        finally:
            agent.close()
        cuts, requests = sum(each.cuts for each in done), sum(each.requests for each in done)
        print(
            f"{times} {what} of {requests} requests, {cuts} cuts: every one executed once, with the same result "
            f"({time.monotonic() - began:.0f} s)",
            flush=True,
        )


def pushes(agent: Agent, times: int) -> list[Cutter]:
    """So many pushes, a few at a time, each on a road of its own."""
    blobs = agent.bundle(_marking(agent))
    return _executed(agent, lambda number: _push(agent, blobs, number), times)


def commands(agent: Agent, times: int) -> list[Cutter]:
    """The same by the command, as people and servers start it."""
    agent.bundle(_marking(agent), "pushed")
    (agent.folder / "variables.json").write_text(json.dumps(VARIABLES), encoding="utf-8")
    shutil.copytree(agent.own.certificate.parent, agent.folder / "pusher" / "service")
    return _executed(agent, lambda number: _command(agent, number), times)


def _marking(agent: Agent) -> str:
    """A step that leaves a mark each time it is executed, and prints some lines."""
    marks = agent.folder / "marks"
    marks.mkdir()
    return (
        f"import time, uuid\nopen('{marks}/' + uuid.uuid4().hex, 'x').close()\n"
        "for i in range(5):\n    report.info(f'line {i}')\n    time.sleep(0.1)"
    )


def _executed(agent: Agent, push: Callable[[int], Cutter], times: int) -> list[Cutter]:
    with ThreadPoolExecutor(TOGETHER) as pool:
        done = list(pool.map(push, range(times)))
    assert len(list((agent.folder / "marks").iterdir())) == times, "one was executed more than once, or never"
    return done


def _push(agent: Agent, blobs: tuple[Blob, ...], number: int) -> Cutter:
    cutter = Cutter()
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


def _command(agent: Agent, number: int) -> Cutter:
    cutter = Cutter()
    with chaos(agent.port, cutter) as port:
        words = [sys.executable, "-m", "agent.cli", "push", str(agent.folder / "pushed"), "--id", f"D-{number}"]
        words += ["--agent", f"https://127.0.0.1:{port}", "--agent-thumbprint", agent.thumbprint]
        words += ["--variables", str(agent.folder / "variables.json"), "--home", str(agent.folder / "pusher")]
        words += ["--output", "plain", "--patience", "120"]
        pushed = subprocess.run(words, capture_output=True, text=True, check=False)
    assert pushed.returncode == 0, pushed.stderr
    told = [line.strip() for line in pushed.stdout.splitlines()]
    assert [line for line in told if line in LINES] == LINES, pushed.stdout
    assert sum("Answer" in line for line in told) == 1, pushed.stdout
    return cutter


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
