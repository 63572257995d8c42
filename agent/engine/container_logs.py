"""The end of a container's output, in bounded memory.

docker-py either reads a log whole, however long its lines are, or switches the socket's timeout off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_KEPT = 1024 * 1024
_HEADER = 8


def last_lines(chunks: Iterable[bytes], *, framed: bool, tail: int) -> list[str]:
    """The last `tail` lines, of the last mebibyte.

    `framed`: stdout and stderr each in frames with a header of 8 bytes, as for a container without terminal.
    """
    kept = bytearray()
    for part in _payloads(chunks) if framed else chunks:
        kept += part
        if len(kept) > 2 * _KEPT:
            del kept[:-_KEPT]
    lines = bytes(kept).decode("utf-8", "replace").split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.rstrip("\r") for line in lines[-tail:]] if tail > 0 else []


def _payloads(chunks: Iterable[bytes]) -> Iterator[bytes]:
    pending = b""
    left = 0
    for chunk in chunks:
        pending += chunk
        while pending:
            if left == 0:
                if len(pending) < _HEADER:
                    break
                left = int.from_bytes(pending[4:_HEADER], "big")
                pending = pending[_HEADER:]
            part, pending = pending[:left], pending[left:]
            left -= len(part)
            yield part
