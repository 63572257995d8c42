"""Following a log as it grows: a page at a time, or as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from agent.service.log import read_page
from agent.service.protocol import LogPage
from agent.service.record import LOG, ended, read_progress

LOOK_SECONDS = 0.05
HEARTBEAT_SECONDS = 15.0


async def log_page(folder: Path, after: int, wait: float) -> LogPage:
    """What follows the cursor; where there is nothing yet, whatever comes within `wait` seconds."""
    deadline = time.monotonic() + wait
    while True:
        progress = read_progress(folder)  # before the log: what it says then is all there is
        lines, cursor = read_page(folder / LOG, after)
        if lines or ended(progress) or time.monotonic() >= deadline:
            return LogPage(state=progress.state, next=cursor, events=[msgspec.Raw(line) for line in lines])
        await asyncio.sleep(LOOK_SECONDS)


async def events(folder: Path, after: int, trusted: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The same as server-sent events, with a comment now and then so that nobody takes the silence for death.

    Ends with the deployment, or when whoever listens is not `trusted` any more.
    """
    cursor = after
    while trusted():
        page = await log_page(folder, cursor, HEARTBEAT_SECONDS)
        if not page.events:
            if page.state not in {"accepted", "running"}:
                yield b"event: end\ndata: " + page.state.encode() + b"\n\n"
                return
            yield b": still here\n\n"
        for line in page.events:
            cursor += len(line) + 1
            yield b"id: " + str(cursor).encode() + b"\ndata: " + bytes(line) + b"\n\n"
