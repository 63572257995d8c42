"""A container's output as lines."""

from __future__ import annotations

import pytest

from agent.engine.container_logs import each_line, frames, last_lines, parts
from agent.errors import HostError


def frame(stream: int, content: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(content).to_bytes(4, "big") + content


@pytest.mark.parametrize("size", [1, 3, 8, 1000])
def test_both_streams_are_read_however_the_bytes_are_cut(size: int) -> None:
    whole = (
        frame(1, b"one\ntwo\r\n")
        + frame(2, b"")
        + frame(2, "thr\u00e9e\n".encode())
        + frame(1, b"fo")
        + frame(1, b"ur")
    )
    cut = [whole[at : at + size] for at in range(0, len(whole), size)]
    assert last_lines(cut, framed=True, tail=10) == ["one", "two", "thrée", "four"]
    assert last_lines(cut, framed=True, tail=2) == ["thrée", "four"]


def test_terminal_output_has_no_frames() -> None:
    assert last_lines([b"a\r\nb", b"c\r\n"], framed=False, tail=10) == ["a", "bc"]


def test_nothing_is_no_line() -> None:
    assert last_lines([], framed=True, tail=10) == []
    assert last_lines([b"x\n"], framed=False, tail=0) == []


def test_endless_line_is_kept_in_part() -> None:
    chunks = (frame(1, b"x" * 65_536) for _ in range(200))
    (line,) = last_lines(chunks, framed=True, tail=1)
    assert len(line) <= 2 * 1024 * 1024


def test_what_is_no_text_is_shown_all_the_same() -> None:
    assert last_lines([b"\xff\xfe\n"], framed=False, tail=1) == ["\ufffd\ufffd"]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_lines_come_as_they_end_and_streams_do_not_mix(size: int) -> None:
    whole = frame(1, b"on") + frame(2, b"warn") + frame(1, b"e\r\ntw") + frame(2, b"ing\n\n") + frame(1, b"o")
    cut = [whole[at : at + size] for at in range(0, len(whole), size)]
    assert list(each_line(parts(cut, framed=True))) == ["one", "warning", "", "two"]
    assert list(each_line(frames(cut))) == ["one", "warning", "", "two"]


def test_line_beyond_a_mebibyte_comes_in_pieces() -> None:
    content = b"x" * (2 * 1024 * 1024 + 5)
    chunks = [frame(1, content[at : at + 16_000]) for at in range(0, len(content), 16_000)]
    lines = list(each_line(frames([*chunks, frame(1, b"\nnext\n")])))
    assert [len(line) for line in lines] == [1024 * 1024, 1024 * 1024, 5, 4]


def test_line_of_just_a_mebibyte_stays_whole() -> None:
    assert [len(line) for line in each_line([(1, b"x" * 1024 * 1024), (1, b"\n")])] == [1024 * 1024]


def test_frame_too_large_to_hold_is_refused() -> None:
    with pytest.raises(HostError, match="in one piece"):
        list(frames([bytes([1, 0, 0, 0, 255, 255, 255, 255]), b"x"]))
