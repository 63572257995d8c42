"""Following a log that breaks off, and taking it up again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.engine import wire
from agent.engine.client import open_client
from agent.engine.live_output import LogPlace, follow
from agent.errors import ContainerError
from agent.host import ContainerHost, ContainerSpec
from linux.local import open_socket
from linux.sandbox import Sandbox


def stamp(second: float) -> str:
    return f"2026-11-23T10:{int(second) // 60:02d}:{second % 60:012.9f}Z"


@given(st.lists(st.floats(0, 0.6), max_size=60), st.data())
def test_log_is_taken_up_where_it_was_whatever_the_entries(steps: list[float], data: st.DataObject) -> None:
    """An engine gives everything stamped at or after the anchor; so many of it are known."""
    now, stamps = 1.0, []
    for step in steps:
        now += step
        stamps.append(stamp(now + data.draw(st.sampled_from([0, 0, -0.0001]))))
    place, read = LogPlace(whole=True), 0
    while read < len(stamps):
        again = [each for each in stamps if each >= place.anchor]
        fresh = again[place.passed :]
        assert fresh == stamps[read:]
        for each in fresh[: data.draw(st.integers(1, 20))]:
            place.advance(each)
            read += 1


def test_loud_container_is_followed_line_by_line(
    engine_host: ContainerHost, base_image: str, unique_name: Callable[[str], str]
) -> None:
    name = unique_name("loud")
    script = (
        "yes 0123456789012345678901234567890123456789012345678 | head -c 10000000; echo; head -c 3000000 /dev/zero"
    )
    engine_host.create(ContainerSpec(name=name, image=base_image, command=("sh", "-c", script), restart="no"))
    engine_host.start(name)
    lengths: list[int] = []
    engine_host.follow(name, lambda line: lengths.append(len(line)))
    engine_host.remove(name)
    assert lengths[:200_000] == [49] * 200_000
    assert max(lengths) == 1024 * 1024
    assert sum(lengths[-3:]) == 3_000_000


def test_silent_container_is_followed_on_and_nothing_comes_twice(
    sandbox: Sandbox, engine_host: ContainerHost, base_image: str, unique_name: Callable[[str], str]
) -> None:
    name = unique_name("silent")
    script = "echo one; sleep 0.7; echo two >&2; echo three; sleep 0.7; printf four"
    info = engine_host.create(ContainerSpec(name=name, image=base_image, command=("sh", "-c", script), restart="no"))
    engine_host.start(name)
    lines: list[str] = []
    path = sandbox.host.removeprefix("unix://")
    with closing(open_client(partial(open_socket, path), where=sandbox.host)) as client:
        follow(client, wire.Container(id=info.id), lines.append, silence=0.2)
    engine_host.remove(name)
    assert lines[0] == "one"
    assert sorted(lines[1:3]) == ["three", "two"]
    assert lines[3:] == ["four"]


def test_container_that_is_removed_while_it_is_followed_is_said(
    engine_host: ContainerHost, base_image: str, unique_name: Callable[[str], str]
) -> None:
    name = unique_name("gone")
    engine_host.create(ContainerSpec(name=name, image=base_image, command=("sh", "-c", "echo here; sleep 60")))
    engine_host.start(name)
    with pytest.raises(ContainerError, match=f"{name}: there is no such container"):
        engine_host.follow(name, lambda _line: engine_host.remove(name))
