"""Contexts that go through a network."""

from __future__ import annotations

import gzip
import random

from hypothesis import given
from hypothesis import strategies as st

from agent.engine.compression import BLOCK, compressed

NOISE = random.Random(1).randbytes(3 * BLOCK)


@given(st.lists(st.binary(max_size=500) | st.sampled_from([b"", b"a" * BLOCK, NOISE[:BLOCK]]), max_size=6))
def test_stream_is_the_same_when_it_is_unpacked(chunks: list[bytes]) -> None:
    assert gzip.decompress(b"".join(compressed(chunks))) == b"".join(chunks)


def test_text_becomes_small() -> None:
    assert len(b"".join(compressed([b"some text, " * 100_000]))) < 20_000


def test_noise_grows_by_a_thousandth_at_most() -> None:
    assert len(b"".join(compressed([NOISE]))) < len(NOISE) * 1.001


def test_text_among_noise_becomes_small_all_the_same() -> None:
    packed = b"".join(compressed([NOISE, b"some text, " * 100_000, NOISE]))
    assert len(packed) < 2 * len(NOISE) * 1.001 + 20_000
