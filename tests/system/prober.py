"""Asks a site many times a second, each time on a new connection, and remembers what became of each request."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

PATIENCE = 200.0


@dataclass(frozen=True)
class Answer:
    """One request: when it began, how long it took, what came back, or what went wrong."""

    began: float
    seconds: float
    body: str
    problem: str = ""


@dataclass
class Probe:
    """`answers` grow while it runs; they are in the order in which they ended."""

    answers: list[Answer] = field(default_factory=list)

    @property
    def lost(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.problem]

    @property
    def longest_gap(self) -> float:
        """Seconds between two good answers, at most."""
        good = sorted(answer.began + answer.seconds for answer in self.answers if not answer.problem)
        return max((after - before for before, after in itertools.pairwise(good)), default=0.0)

    @property
    def versions(self) -> list[str]:
        """The bodies in the order in which they first came."""
        return list(dict.fromkeys(answer.body for answer in self.answers if not answer.problem))


@contextmanager
def probing(port: int, rate: float = 250, path: str = "/") -> Iterator[Probe]:
    """Ask 127.0.0.1 for the time of the block."""
    probe = Probe()
    ended = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_ask_on(probe, port, rate, path, ended)))
    thread.start()
    try:
        yield probe
    finally:
        ended.set()
        thread.join()


def ask(port: int, path: str = "/") -> Answer:
    """One request."""
    return asyncio.run(_ask(port, path))


async def _ask_on(probe: Probe, port: int, rate: float, path: str, ended: threading.Event) -> None:
    running: set[asyncio.Task[Answer]] = set()
    start, number = time.monotonic(), 0
    while not ended.is_set():
        task = asyncio.create_task(_ask(port, path))
        running.add(task)
        task.add_done_callback(lambda done: probe.answers.append(done.result()))
        task.add_done_callback(running.discard)
        number += 1
        await asyncio.sleep(max(0, start + number / rate - time.monotonic()))
    while running:
        await asyncio.sleep(0.01)


async def _ask(port: int, path: str) -> Answer:
    began = time.monotonic()
    try:
        body = await asyncio.wait_for(_request(port, path), PATIENCE)
    except (OSError, ValueError, TimeoutError) as error:
        return Answer(began, time.monotonic() - began, "", str(error) or type(error).__name__)
    return Answer(began, time.monotonic() - began, body)


async def _request(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = (await reader.read()).decode()
    finally:
        writer.close()
    head, separator, body = answer.partition("\r\n\r\n")
    if not separator or " 200 " not in head.splitlines()[0]:
        raise ValueError(head.splitlines()[0] if head else "the connection ended without an answer")
    return body
