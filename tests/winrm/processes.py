"""Programs that a WinRM server runs for its clients, with input and output by pieces."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import IO

from tests.winrm.soap import BROKEN_PIPE, BUSY, CONCURRENCY, OPERATION_TIMEOUT, SoapFault

BUFFERED = 1024 * 1024
"""Bytes of output that wait for a Receive before the program is held back."""


class Process:
    """One program. Standard input is written by a thread of its own, as Windows goes on when a Send times out."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, output: Path | None
    ) -> None:
        self._file = (folder / output).open("wb") if output else None
        self._popen = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=self._file or subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            cwd=folder,
            bufsize=0,
            start_new_session=True,
        )
        self._changed = threading.Condition()
        self._output: deque[tuple[str, bytes]] = deque()
        self._waiting = 0
        self._open = 0
        self._input: deque[tuple[bytes, bool]] = deque()
        self._receiving = False
        self._broken = False
        self._ended = False
        self._sent: tuple[str, list[tuple[str, bytes]], int | None] | None = None
        for name, stream in (("stdout", self._popen.stdout), ("stderr", self._popen.stderr)):
            if stream is not None:
                self._open += 1
                threading.Thread(target=self._collect, args=(name, stream), daemon=True).start()
        threading.Thread(target=self._feed, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    def send(self, data: bytes, end: bool, seconds: float) -> None:
        """Waits until it is written, for `seconds` at most; what is left is written later all the same."""
        with self._changed:
            if self._input:
                raise SoapFault(BUSY, "The requested resource is in use.")
            if self._broken or self._ended:
                raise SoapFault(BROKEN_PIPE, "The pipe has been ended.")
            self._ended = end
            self._input.append((data, end))
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: not self._input, seconds):
                raise SoapFault(OPERATION_TIMEOUT, "The WS-Management service cannot complete the operation in time.")

    def receive(self, message_id: str, seconds: float) -> tuple[list[tuple[str, bytes]], int | None]:
        """What was printed since, waiting for the first of it; the exit code once all is told.

        The same message asked again gets the same answer.
        """
        with self._changed:
            if self._sent and self._sent[0] == message_id:
                return self._sent[1], self._sent[2]
            if self._receiving:
                raise SoapFault(CONCURRENCY, "Another Receive on this command is not answered yet.")
            self._receiving = True
            try:
                pieces, code = self._next(monotonic() + seconds)
            finally:
                self._receiving = False
            self._sent = (message_id, pieces, code)
            return pieces, code

    def end_input(self) -> None:
        """As when the program has closed it."""
        with self._changed:
            self._ended = True
            self._input.append((b"", True))
            self._changed.notify_all()

    def terminate(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        with self._changed:
            self._broken = True
            self._input.clear()
            self._output.clear()
            self._waiting = 0
            self._changed.notify_all()
        if self._file:
            self._file.close()

    def _next(self, deadline: float) -> tuple[list[tuple[str, bytes]], int | None]:
        while not self._output and self._open:
            left = deadline - monotonic()
            if left <= 0 or not self._changed.wait(left):
                raise SoapFault(OPERATION_TIMEOUT, "The WS-Management service cannot complete the operation in time.")
        pieces, size = [], 0
        while self._output and size < BUFFERED // 4:
            pieces.append(self._output.popleft())
            size += len(pieces[-1][1])
        self._waiting -= size
        self._changed.notify_all()
        if self._output or self._open:
            return pieces, None
        return pieces, self._popen.wait()

    def _collect(self, name: str, stream: IO[bytes]) -> None:
        with stream:
            while piece := stream.read(32 * 1024):
                with self._changed:
                    self._output.append((name, piece))
                    self._waiting += len(piece)
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._waiting < BUFFERED or self._broken)
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def _feed(self) -> None:
        assert self._popen.stdin
        with suppress(OSError), self._popen.stdin as stdin:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._input or self._broken)
                    if self._broken:
                        return
                    data, end = self._input[0]
                self._write(stdin, data)
                if end:
                    stdin.close()
                with self._changed:
                    if self._input:
                        self._input.popleft()
                    self._changed.notify_all()
                if end:
                    return

    def _write(self, stdin: IO[bytes], data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[stdin.write(view) :]
        except OSError:
            with self._changed:
                self._broken = True
                self._input.clear()
                self._changed.notify_all()
            raise
