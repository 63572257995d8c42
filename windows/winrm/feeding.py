"""The input of a remote program: one thread makes messages, one sends them, while the output is read elsewhere."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from time import monotonic

from windows.winrm.process import RemoteProcess
from windows.winrm.sending import Parcel

Pieces = Iterator[tuple[bytes, bool]]
"""Input, piece by piece, each with whether it is the last."""


class Feeder:
    """Sends pieces to the program until one of them ends. `failure` is what went wrong with either.

    `make_pieces` is given a function that tells whether a message is on its way, so that more can be gathered.
    """

    def __init__(self, process: RemoteProcess, make_pieces: Callable[[Callable[[], bool]], Pieces]) -> None:
        self.failure: BaseException | None = None
        self.last_sent = monotonic()
        self._process = process
        self._sending = process.sending()
        self._ready: queue.Queue[Parcel | None] = queue.Queue(maxsize=1)
        self._stopped = threading.Event()
        self._posting = False
        pieces = make_pieces(lambda: self._posting)
        self._threads = [
            threading.Thread(target=self._prepare, args=(pieces,), daemon=True, name="winrm-prepare"),
            threading.Thread(target=self._post, daemon=True, name="winrm-send"),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more; a message that is on its way is let go."""
        self._stopped.set()

    def join(self) -> None:
        """Wait until all is sent, or no more is taken."""
        self._threads[1].join()

    def _prepare(self, pieces: Pieces) -> None:
        try:
            for data, end in pieces:
                if not self._hand_over(self._sending.prepare(data, end=end)):
                    return
        except BaseException as error:
            self._fail(error)
        finally:
            self._hand_over(None)

    def _hand_over(self, parcel: Parcel | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._ready.put(parcel, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def _post(self) -> None:
        try:
            while (parcel := self._next()) is not None:
                self._posting = True
                if not self._process.send(self._sending, parcel, lambda: not self._stopped.is_set()):
                    break
                self._posting = False
                self.last_sent = monotonic()
        except BaseException as error:
            self._fail(error)
        finally:
            self._stopped.set()
            self._sending.close()

    def _next(self) -> Parcel | None:
        while not self._stopped.is_set():
            try:
                return self._ready.get(timeout=0.2)
            except queue.Empty:
                continue
        return None

    def _fail(self, error: BaseException) -> None:
        """The program is ended, so that whoever waits for its output hears of it."""
        self.failure = self.failure or error
        self._stopped.set()
        self._process.end()


def gathered(source: Iterable[bytes], room: int) -> Pieces:
    """The pieces of `source` put together to `room` bytes each."""
    pieces: list[bytes] = []
    size = 0
    for piece in source:
        pieces.append(piece)
        size += len(piece)
        while size >= room:
            whole = b"".join(pieces)
            yield whole[:room], False
            pieces, size = [whole[room:]], size - room
    yield b"".join(pieces), True
