"""A container's output as lines, in bounded memory: the last of them, or each one as it comes.

docker-py either reads a log whole, however long its lines are, or switches the socket's timeout off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.errors import HostError

_KEPT = 1024 * 1024
_HEADER = 8
_LARGEST_FRAME = 16 * 1024 * 1024


def last_lines(chunks: Iterable[bytes], *, framed: bool, tail: int) -> list[str]:
    """The last `tail` lines, of the last mebibyte.

    `framed`: stdout and stderr each in frames with a header of 8 bytes, as for a container without terminal.
    """
    kept = bytearray()
    for _, part in parts(chunks, framed=framed):
        kept += part
        if len(kept) > 2 * _KEPT:
            del kept[:-_KEPT]
    lines = bytes(kept).decode("utf-8", "replace").split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.rstrip("\r") for line in lines[-tail:]] if tail > 0 else []


def each_line(pieces: Iterable[tuple[int, bytes]]) -> Iterator[str]:
    """The lines of (stream, bytes) as `parts` gives them; the two streams' unfinished lines do not mix.

    A line beyond a mebibyte is cut in pieces of that size.
    """
    unfinished = {1: bytearray(), 2: bytearray()}
    for stream, piece in pieces:
        line = unfinished[stream]
        first, *more = piece.split(b"\n")
        line += first
        for start in more:
            yield from _cut(line)
            yield _text(line)
            line[:] = start
        yield from _cut(line)
    yield from (_text(line) for line in unfinished.values() if line)


def parts(chunks: Iterable[bytes], *, framed: bool) -> Iterator[tuple[int, bytes]]:
    """(1 for stdout or 2 for stderr, bytes), however the chunks were cut; without frames all is stdout."""
    if not framed:
        yield from ((1, chunk) for chunk in chunks)
        return
    pending = b""
    stream, left = 1, 0
    for chunk in chunks:
        pending += chunk
        while pending:
            if left == 0:
                if len(pending) < _HEADER:
                    break
                stream = 2 if pending[0] == 2 else 1
                left = int.from_bytes(pending[4:_HEADER], "big")
                pending = pending[_HEADER:]
            part, pending = pending[:left], pending[left:]
            left -= len(part)
            yield stream, part


def frames(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """(stream, bytes) of each whole frame: an engine sends one for an entry of a log, of a mebibyte at most."""
    pending = bytearray()
    for chunk in chunks:
        pending += chunk
        at = 0
        while len(pending) - at >= _HEADER:
            end = at + _HEADER + int.from_bytes(pending[at + 4 : at + _HEADER], "big")
            if end - at > _LARGEST_FRAME:
                raise HostError(f"the engine sent {end - at:,} bytes of output in one piece; see what it is")
            if end > len(pending):
                break
            yield (2 if pending[at] == 2 else 1), bytes(pending[at + _HEADER : end])
            at = end
        del pending[:at]


def _cut(line: bytearray) -> Iterator[str]:
    while len(line) > _KEPT:
        yield _text(line[:_KEPT])
        del line[:_KEPT]


def _text(line: bytes | bytearray) -> str:
    return line.decode("utf-8", "replace").removesuffix("\r")
