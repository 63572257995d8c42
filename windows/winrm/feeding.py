"""The input of a remote program, sent from a thread of its own while its output is read."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from time import monotonic

from windows.winrm.process import RemoteProcess

GATHERED = 4 * 1024 * 1024
"""No more input than this is gathered for one message."""


class Feeder:
    """Sends `source` to the program until one of them ends. `failure` is what went wrong with either."""

    def __init__(self, process: RemoteProcess, source: Iterable[bytes], room: int) -> None:
        self.failure: BaseException | None = None
        self.last_sent = monotonic()
        self._process = process
        self._source = source
        self._room = room
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._feed, daemon=True, name="winrm-input")
        self._thread.start()

    def stop(self) -> None:
        """Send no more; a message that is on its way is let go."""
        self._stopped.set()

    def _feed(self) -> None:
        try:
            for data, end in gathered(self._source, self._room):
                if self._stopped.is_set() or not self._process.send(data, end=end, go_on=self._goes_on):
                    return
                self.last_sent = monotonic()
        except BaseException as error:
            self.failure = error
            self._process.end()

    def _goes_on(self) -> bool:
        return not self._stopped.is_set()


def gathered(source: Iterable[bytes], room: int) -> Iterator[tuple[bytes, bool]]:
    """The pieces of `source` put together to about `room` bytes each, with whether it is the last."""
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
