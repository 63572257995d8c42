"""A layer's tar out of its blob, as a stream, whatever it was packed with, and no more of it than can be meant."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import IO, cast

from agent.errors import RegistryError

_PIECE = 1024 * 1024
_ALWAYS_ALLOWED = 256 * 1024 * 1024
_LARGEST_RATIO = 100
_LARGEST_WINDOW = 128 * 1024 * 1024


class LayerError(RegistryError):
    """A layer that is damaged or hostile. The text begins with a verb: whoever reads it knows which layer."""


def inflated(chunks: Iterable[bytes], compressed_size: int) -> Iterator[bytes]:
    """The bytes inside: gzip, zstd, or as they are. LayerError for damage, or for a bomb: more than 256 MB
    and a hundred times `compressed_size`.
    """
    left = _ALWAYS_ALLOWED + _LARGEST_RATIO * compressed_size
    try:
        for piece in _unpacked(iter(chunks)):
            left -= len(piece)
            if left < 0:
                raise LayerError("unpacks to far more than layers do; it is not read")
            yield piece
    except (zlib.error, EOFError) as error:
        raise LayerError(f"is damaged and cannot be unpacked ({error}); push the image anew") from error


def _unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    first = b""
    while len(first) < 4 and (chunk := next(chunks, b"")):
        first += chunk
    if first.startswith(b"\x1f\x8b"):
        yield from _gunzipped(first, chunks)
    elif first.startswith(b"\x28\xb5\x2f\xfd"):
        yield from _unzstd(first, chunks)
    else:
        yield first
        yield from chunks


def _gunzipped(waiting: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """One member after the other: some builders write many."""
    inflate = None
    while waiting or (waiting := next(chunks, b"")):
        inflate = inflate or zlib.decompressobj(wbits=31)
        if piece := inflate.decompress(waiting, _PIECE):
            yield piece
        waiting = inflate.unconsumed_tail
        if inflate.eof:
            waiting = inflate.unused_data
            inflate = None
    if inflate is not None:
        raise EOFError("it is cut off")


def _unzstd(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    import zstandard

    packed = cast(IO[bytes], _File(first, chunks))  # it is only read from
    unpacker = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
    reader = unpacker.stream_reader(packed, read_size=_PIECE, read_across_frames=True)
    try:
        while piece := reader.read(_PIECE):
            yield piece
    except zstandard.ZstdError as error:
        raise EOFError(error) from error


class _File:
    """Chunks as something to `read` from."""

    def __init__(self, first: bytes, chunks: Iterator[bytes]) -> None:
        self._waiting = first
        self._chunks = chunks

    def read(self, size: int = -1) -> bytes:
        while not self._waiting and (chunk := next(self._chunks, None)) is not None:
            self._waiting = chunk
        taken = self._waiting[:size] if size >= 0 else self._waiting
        self._waiting = self._waiting[len(taken) :]
        return taken
