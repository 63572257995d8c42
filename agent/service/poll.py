"""Asking for work instead of being asked: for an agent that nobody can reach.

What a broker hands out goes the way of everything that is pushed: blobs are fetched and verified, the request is
accepted under its id, the runner starts it. What happens is reported by cursor until the broker has all of it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.errors import DockwrightError, InputError
from agent.service.blobs import Blobs
from agent.service.certificate import Certificate
from agent.service.connection import Connection
from agent.service.deployments import Deployments
from agent.service.log import read_page
from agent.service.protocol import DeploymentRequest, DeploymentStatus, LogCursor, LogReport, Poll, Work, is_id
from agent.service.record import LOG, ended, read_progress, status
from agent.service.runner import Runner
from agent.service.sealing import public_key

PATIENCE_SECONDS = ((5.0, 10.0), (15.0, 30.0), (60.0, 120.0))
"""How long to wait after the first, second and every further failure: at random, lest all agents come at once."""

PIECE_BYTES = 4_000_000
WAIT_SECONDS = 50.0
REPORT_SECONDS = 0.2

Log = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Polling:
    """Which broker, and who we are."""

    url: str
    thumbprint: str
    certificate: Certificate
    home: Path


class Poller:
    """Asks in one thread and reports in another. `call` runs a function in the listener's own thread and waits."""

    def __init__(
        self,
        settings: Polling,
        blobs: Blobs,
        deployments: Deployments,
        runner: Runner,
        call: Callable[[Callable[[], object]], object],
        log: Log,
    ) -> None:
        self._settings = settings
        self._blobs = blobs
        self._deployments = deployments
        self._runner = runner
        self._call = call
        self._log = log
        self._cursors: dict[str, int] = {}
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin; both threads end with the process, or with `stop`."""
        for work in (self._ask_for_work, self._report_all):
            threading.Thread(target=self._again_and_again, args=(work,), daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _again_and_again(self, work: Callable[[Connection], None]) -> None:
        failures = 0
        while not self._stop.is_set():
            connection = self._connection()
            try:
                while not self._stop.is_set():
                    work(connection)
                    failures = 0
            except DockwrightError as error:
                self._log(f"polling: {error}")
            except Exception as error:
                self._log(f"polling: {type(error).__name__}: {error}")
            finally:
                connection.close()
            low, high = PATIENCE_SECONDS[min(failures, len(PATIENCE_SECONDS) - 1)]
            failures += 1
            self._stop.wait(random.uniform(low, high))  # noqa: S311  not for secrets

    def _connection(self) -> Connection:
        own = self._settings
        return Connection(own.url, own.thumbprint, own.certificate, patience=0)

    def _ask_for_work(self, connection: Connection) -> None:
        key = public_key(self._settings.home / "service")
        asked = Poll(sealing_key=key, known=list(self._cursors), wait=WAIT_SECONDS)
        work = connection.answer("POST", "/v1/agents/poll", Work, msgspec.json.encode(asked), wait=WAIT_SECONDS)
        for name in work.cancel:
            self._call(lambda name=name: self._cancel(name))  # type: ignore[misc]
        if work.id:
            self._take(work, connection)
        elif work.cancel:
            self._stop.wait(1)  # it is on its way

    def _take(self, work: Work, connection: Connection) -> None:
        if not is_id(work.id):
            raise InputError(f"{self._settings.url} hands out '{work.id[:100]}', which is no id")
        body = work.body.encode()
        try:
            request = msgspec.json.decode(body, type=DeploymentRequest)
        except msgspec.DecodeError as error:
            raise InputError(
                f"{self._settings.url} hands out {work.id}, which is not as it should be: {error}"
            ) from error
        for sha256 in filter(None, (request.bundle, *(package.sha256 for package in request.packages))):
            self._fetch(sha256, connection)
        self._call(lambda: self._deployments.accept(work.id, body, request, self._settings.url))
        self._cursors.setdefault(work.id, 0)
        self._call(self._runner.wake)

    def _fetch(self, sha256: str, connection: Connection) -> None:
        """A blob of the broker's, from where an earlier attempt was cut."""
        if self._blobs.has(sha256):
            return
        _, size = connection.fetch(f"/v1/blobs/{sha256}", 0, 1)
        upload = self._blobs.begin(sha256, size)
        while upload.offset < size:
            data, _ = connection.fetch(f"/v1/blobs/{sha256}", upload.offset, PIECE_BYTES)
            upload = self._blobs.append(sha256, upload.offset, data)
        self._blobs.commit(sha256)

    def _cancel(self, name: str) -> None:
        folder = self._deployments.find(name)
        if folder is not None:
            self._runner.cancel(folder, self._settings.url)

    def _report_all(self, connection: Connection) -> None:
        """Tell what is new of everything that the broker has not heard the end of."""
        self._remember_unreported()
        for name, cursor in list(self._cursors.items()):
            folder = self._deployments.find(name)
            if folder is None:
                del self._cursors[name]
                continue
            progress = read_progress(folder)
            lines, after = read_page(folder / LOG, cursor)
            over = ended(progress) and not lines
            if lines or over:
                self._report(connection, status(folder), cursor, lines, after)
                if over and self._cursors[name] == after:
                    del self._cursors[name]
                    self._call(lambda folder=folder: self._deployments.complete(folder))  # type: ignore[misc]
        self._stop.wait(REPORT_SECONDS)

    def _report(
        self, connection: Connection, told: DeploymentStatus, cursor: int, lines: list[bytes], after: int
    ) -> None:
        report = LogReport(status=told, after=cursor, events=[msgspec.Raw(line) for line in lines], next=after)
        answer = connection.answer("POST", "/v1/agents/report", LogCursor, msgspec.json.encode(report))
        self._cursors[told.id] = answer.next

    def _remember_unreported(self) -> None:
        """After a restart: what this broker gave us and has not heard the end of."""
        for each in self._deployments.all() if not self._cursors else ():
            if each.by == self._settings.url and not each.completed:
                self._cursors.setdefault(each.id, 0)
