"""Output as it comes: of a container until it ends, and of a program that is run inside one.

Both may be silent for hours, so silence alone proves nothing: a follower asks the engine after each silent
minute whether it is still there. A program has a time limit, which is held to the second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import msgspec

from agent.engine import wire
from agent.engine.container_logs import each_line, frames, parts
from agent.engine.failures import is_timeout
from agent.host import LineSink

if TYPE_CHECKING:
    from docker import APIClient

SILENCE = 60.0

_CHUNK = 64 * 1024
_STAMP = len("2026-11-23T11:30:00.000000000Z")
_ACTIVE = ("running", "restarting", "paused")


def follow(
    client: APIClient, container: wire.Container, output: LineSink, tail: int = -1, silence: float = SILENCE
) -> None:
    """Hand each line of the container to `output` until it ends; of earlier lines the last `tail`, -1 for all.

    After `silence` seconds without output the engine is asked whether it is still there.
    """
    terminal = bool(container.config and container.config.tty)
    pieces = (
        _terminal_output(client, container.id, tail) if terminal else _entries(client, container.id, tail, silence)
    )
    for line in each_line(pieces):
        output(line)


def execute(client: APIClient, container: str, command: Sequence[str], output: LineSink, timeout: float) -> int:
    """Run `command` in the container; its exit code. TimeoutError when it has not ended in time."""
    deadline = monotonic() + timeout
    made = msgspec.convert(client.exec_create(container, list(command)), wire.Created)
    url = f"{client.base_url}/v{client.api_version}/exec/{made.id}/start"
    body = {"Detach": False, "Tty": False}
    with client.post(url, json=body, stream=True, timeout=client.timeout) as started:
        client._raise_for_status(started)  # type: ignore[attr-defined]
        for line in each_line(parts(_until(deadline, started.raw), framed=True)):
            output(line)
    return _exit_code(client, made.id, deadline)


@dataclass
class LogPlace:
    """How far a log was read: `passed` entries stamped `anchor` or later, so that reading can be taken up there.

    Entries of the two streams may be a little out of order, so the anchor stays a second or more behind. Where the
    `whole` log is read, there is none at first, for the second entry may be the earlier one.
    """

    whole: bool
    anchor: str = ""
    passed: int = 0
    next_anchor: str = ""
    next_passed: int = 0
    latest: str = ""

    def advance(self, stamp: str) -> None:
        if not self.latest:
            self.anchor = "" if self.whole else stamp
            self.next_anchor = self.latest = stamp
        if stamp > self.latest:
            self.latest = stamp
            if stamp[:19] > self.next_anchor[:19]:
                self.anchor, self.passed = self.next_anchor, self.next_passed
                self.next_anchor, self.next_passed = stamp, 0
        self.passed += stamp >= self.anchor
        self.next_passed += stamp >= self.next_anchor


def _entries(client: APIClient, container: str, tail: int, silence: float) -> Iterator[tuple[int, bytes]]:
    """What the container prints until it ends, each entry once.

    A follower is taken up again after a silence and a restart. What an engine forgets to send to one (the last
    line, if it has no newline) is read when the container has ended.
    """
    place = LogPlace(whole=tail < 0)
    active = True
    while active:
        active = _is_active(client, container)
        try:
            yield from _log(client, container, place, _wanted(place, tail, follow=active), silence)
        except _broken() as error:
            if not is_timeout(error):
                raise
        if active:
            sleep(0.05)


def _wanted(place: LogPlace, tail: int, *, follow: bool) -> dict[str, str]:
    """The query: at first `tail` counts, later the place does."""
    begin = {"since": _seconds(place.anchor)} if place.anchor else {"tail": str(tail) if tail >= 0 else "all"}
    return {"stdout": "1", "stderr": "1", "timestamps": "1", "follow": str(int(follow)), **begin}


def _log(
    client: APIClient, container: str, place: LogPlace, wanted: Mapping[str, str], silence: float
) -> Iterator[tuple[int, bytes]]:
    known, anchor = place.passed, place.anchor
    url = f"{client.base_url}/v{client.api_version}/containers/{container}/logs"
    with client.get(url, params=dict(wanted), stream=True, timeout=(client.timeout, silence)) as response:
        client._raise_for_status(response)  # type: ignore[attr-defined]
        for stream, entry in frames(response.iter_content(None)):
            stamp = entry[:_STAMP].decode("ascii", "replace")
            if known and stamp >= anchor:
                known -= 1
                continue
            place.advance(stamp)
            yield stream, entry[_STAMP + 1 :]


def _terminal_output(client: APIClient, container: str, tail: int) -> Iterator[tuple[int, bytes]]:
    """A terminal's output has no entries by which it could be taken up again."""
    url = f"{client.base_url}/v{client.api_version}/containers/{container}/logs"
    wanted = {"stdout": "1", "stderr": "1", "follow": "1", "tail": str(tail) if tail >= 0 else "all"}
    with client.get(url, params=wanted, stream=True, timeout=(client.timeout, None)) as response:
        client._raise_for_status(response)  # type: ignore[attr-defined]
        yield from parts(response.iter_content(None), framed=False)


def _is_active(client: APIClient, container: str) -> bool:
    found = msgspec.convert(client.inspect_container(container), wire.Container)
    return bool(found.state and found.state.status in _ACTIVE)


def _seconds(stamp: str) -> str:
    """A log's time stamp as the engine takes it: seconds since 1970 with nine decimals."""
    from datetime import datetime

    whole = datetime.fromisoformat(f"{stamp[:19]}+00:00").timestamp()
    return f"{whole:.0f}{stamp[19:29]}"


def _until(deadline: float, raw: Any) -> Iterator[bytes]:
    """The rest of an answer without a length, each read no longer than what is left of the time.

    requests knows a limit for one silence only; the socket, found as docker-py finds it, takes a new one.
    """
    reader = raw._fp.fp
    stream = reader.raw._sock
    while (left := deadline - monotonic()) > 0:
        stream.settimeout(left)
        chunk = reader.read1(_CHUNK)
        if not chunk:
            return
        yield chunk
    raise TimeoutError


def _exit_code(client: APIClient, execution: str, deadline: float) -> int:
    """The output may end a moment before the program, or well before if it closes it."""
    while True:
        ended = msgspec.convert(client.exec_inspect(execution), wire.Execution)
        if not ended.running and ended.exit_code is not None:
            return ended.exit_code
        if monotonic() > deadline:
            raise TimeoutError
        sleep(0.02)


def _broken() -> type[Exception]:
    from requests import RequestException

    return RequestException
