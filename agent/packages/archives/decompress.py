"""Bytes out of a compressed stream, piece by piece, never more in memory than a piece and the format's window.

The standard library's file objects read ahead without a bound on memory (xz) or in small steps (gzip), hence
these loops over its decompressors.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Literal, Protocol

from agent.packages.archives.entry import Refused

Compression = Literal["", "gzip", "bzip2", "xz", "zstd"]

PIECE = 1 << 18
WINDOW_BYTES = 128 << 20


def decompressed(file: BinaryIO, compression: Compression) -> Iterator[bytes]:
    """The stream's content in pieces of at most 256 KiB. Refused where it is damaged or of another format."""
    try:
        if compression == "":
            yield from iter(lambda: file.read(PIECE), b"")
        elif compression == "gzip":
            yield from _gzip(file)
        elif compression == "zstd":
            yield from _zstd(file)
        elif compression == "bzip2":
            yield from _streams(file, bz2.BZ2Decompressor)
        else:
            yield from _streams(file, lambda: lzma.LZMADecompressor(memlimit=WINDOW_BYTES))
    except (zlib.error, lzma.LZMAError, EOFError, ValueError) as error:
        raise Refused(f"is damaged or no {compression} stream ({error})") from error
    except OSError as error:
        if error.errno is None:  # how bz2 says that its input is damaged
            raise Refused(f"is damaged or no {compression} stream ({error})") from error
        raise


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def _gzip(file: BinaryIO) -> Iterator[bytes]:
    """One or more members, then perhaps zeros (as written to tapes)."""
    decompressor = zlib.decompressobj(31)
    while data := file.read(PIECE):
        while data:
            if decompressor.eof:
                data = data.lstrip(b"\0")
                if not data:
                    break
                decompressor = zlib.decompressobj(31)
            if piece := decompressor.decompress(data, PIECE):
                yield piece
            data = decompressor.unused_data if decompressor.eof else decompressor.unconsumed_tail
    if not decompressor.eof:
        raise EOFError("it is cut off")


def _streams(file: BinaryIO, new: Callable[[], _Decompressor]) -> Iterator[bytes]:
    decompressor = new()
    while data := file.read(PIECE):
        while data or not (decompressor.needs_input or decompressor.eof):
            if decompressor.eof:
                data = data.lstrip(b"\0")
                if not data:
                    break
                decompressor = new()
            if piece := decompressor.decompress(data, PIECE):
                yield piece
            data = decompressor.unused_data if decompressor.eof else b""
    if not decompressor.eof:
        raise EOFError("it is cut off")


def _zstd(file: BinaryIO) -> Iterator[bytes]:
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES)
    try:
        with decompressor.stream_reader(file, read_size=PIECE, read_across_frames=True, closefd=False) as reader:
            while piece := reader.read(PIECE):
                yield piece
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
