"""Build contexts as gzip, for engines behind a network: the way is the narrow part.

What does not compress (packages, pictures, binaries) would only cost time: each block is tried by a few samples,
and stored as it is where they say so. A gzip file may have many members, and engines know it by its first bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

BLOCK = 256 * 1024
_SAMPLE = 4096
_WORTH = 0.9


def compressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same stream as a gzip file of many members."""
    waiting: list[bytes] = []
    size = 0
    for chunk in chunks:
        waiting.append(chunk)
        size += len(chunk)
        if size >= BLOCK:
            yield _member(b"".join(waiting))
            waiting, size = [], 0
    yield _member(b"".join(waiting))


def _member(block: bytes) -> bytes:
    packer = zlib.compressobj(1 if _is_worth_it(block) else 0, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return packer.compress(block) + packer.flush()


def _is_worth_it(block: bytes) -> bool:
    places = (0, len(block) // 2, len(block) - _SAMPLE)
    sample = b"".join(block[max(0, place) : max(0, place) + _SAMPLE] for place in places)
    return len(zlib.compress(sample, 1)) < len(sample) * _WORTH
