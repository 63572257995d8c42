"""Who carries a stream learns that the other end is closed, with `poll` or, as on Windows, without."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace

import pytest

from agent.engine import stream_pair
from agent.engine.stream_pair import End, is_readable
from tests.patience import PATIENCE


@pytest.fixture(params=["poll", "no poll"])
def ends(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[End, End]]:
    if request.param == "no poll":
        monkeypatch.setattr(stream_pair, "select", SimpleNamespace(select=select.select))
    near, far = stream_pair.stream_pair()
    with closing(near), closing(far):
        yield near, far


def test_end_that_only_finished_writing_still_reads(ends: tuple[End, End]) -> None:
    near, far = ends
    near.shutdown(socket.SHUT_WR)
    assert is_readable(far.fileno(), PATIENCE)
    assert far.recv(1) == b""
    assert not far.is_over(0)
    far.sendall(b"answer")
    assert near.recv(10) == b"answer"


def test_stream_is_over_when_the_last_file_made_of_it_is_closed(ends: tuple[End, End]) -> None:
    near, far = ends
    with near.makefile("rb"):
        near.close()
        assert not far.is_over(0)
    assert far.is_over(PATIENCE)


def test_who_waits_for_the_end_hears_of_a_hang_up(ends: tuple[End, End]) -> None:
    near, far = ends
    heard: list[bool] = []
    waiting = threading.Thread(target=lambda: heard.append(far.is_over(PATIENCE)))
    waiting.start()
    far.hang_up()
    waiting.join()
    assert heard == [True]
    assert near.recv(1) == b""


def test_what_was_sent_can_be_read(ends: tuple[End, End]) -> None:
    near, far = ends
    assert not is_readable(far.fileno(), 0)
    near.sendall(b"x")
    assert is_readable(far.fileno(), PATIENCE)
