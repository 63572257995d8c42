"""A listener that is killed again and again while it tells of long logs: `python -m tests.service.restarts [KILLS]`.

Every deployment must be executed once and be told of rightly, and its log must be whole: each line there once, in
order, however often whoever reads it had to ask again.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.report.events import Message
from agent.service.client import AgentClient
from agent.service.push import Blob
from tests.service.conftest import Agent

LINES = 20_000
TOGETHER = 2
PATIENCE = 120


def main(kills: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        agent = Agent(Path(folder) / "agent")
        agent.start()
        try:
            began = time.monotonic()
            done = restarts(agent, kills, LINES, random.Random(11))
        finally:
            agent.close()
    print(
        f"{kills} kills of a listener during {done} deployments of {LINES:,} lines: every one executed once, no line "
        f"lost or doubled ({time.monotonic() - began:.0f} s)"
    )


def restarts(agent: Agent, kills: int, lines: int, chance: random.Random) -> int:
    """Deploy for as long as it takes to kill so often; how many deployments there were."""
    marks = agent.folder / "marks"
    marks.mkdir()
    do = (
        f"import time, uuid\nopen('{marks}/' + uuid.uuid4().hex, 'x').close()\n"
        f"for i in range({lines}):\n    report.info(f'line {{i}}')\n    time.sleep(0.001 if i % 4 else 0)"
    )
    blobs = agent.bundle(do)
    with _killing(agent, kills, chance) as killing, ThreadPoolExecutor(TOGETHER) as pool:
        readers = [pool.submit(_again_and_again, agent, blobs, lines, number, killing) for number in range(TOGETHER)]
        done = sum(reader.result() for reader in readers)
    assert killing.failure is None, killing.failure
    assert len(list(marks.iterdir())) == done, "a deployment was executed more than once, or never"
    return done


@dataclass(kw_only=True)
class _Killing:
    """How many kills are left, and what went wrong with them."""

    left: int
    failure: BaseException | None = None

    @property
    def over(self) -> bool:
        return self.left <= 0 or self.failure is not None


@contextmanager
def _killing(agent: Agent, kills: int, chance: random.Random) -> Iterator[_Killing]:
    """Kill the listener at random times, and start it again a moment later."""
    killing = _Killing(left=kills)

    def kill() -> None:
        try:
            while not killing.over:
                time.sleep(chance.uniform(0.2, 3))
                agent.kill()
                time.sleep(chance.uniform(0, 0.5))
                agent.start()
                killing.left -= 1
        except BaseException as error:
            killing.failure = error

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killing
    finally:
        thread.join()


def _again_and_again(agent: Agent, blobs: tuple[Blob, ...], lines: int, reader: int, killing: _Killing) -> int:
    number = 0
    while number == 0 or not killing.over:
        number += 1
        _deploy(agent, blobs, lines, f"D-{reader}-{number}")
    return number


def _deploy(agent: Agent, blobs: tuple[Blob, ...], lines: int, deployment: str) -> None:
    client = AgentClient(agent.url, agent.thumbprint, agent.own, patience=PATIENCE)
    try:
        client.deploy(deployment, agent.request(client, blobs, id=deployment))
        told = [event.text for event in client.follow(deployment) if isinstance(event, Message)]
        status = client.status(deployment)
        client.complete(deployment)
    finally:
        client.close()
    numbers = [int(text.split()[1]) for text in told if text.startswith("line ")]
    assert numbers == list(range(lines)), _difference(numbers, lines)
    assert (status.state, status.exit_code, status.outputs) == ("succeeded", 0, {"Answer": "42"}), status


def _difference(numbers: list[int], lines: int) -> str:
    lost = sorted(set(range(lines)).difference(numbers))
    doubled = sorted({number for number in numbers if numbers.count(number) > 1})
    return f"lost {lost[:10]}, doubled {doubled[:10]}, in order: {numbers == sorted(numbers)}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
