"""When a container counts as good, and when it has failed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from time import monotonic

import pytest

from agent.containers import HealthSettings, await_healthy
from agent.errors import ContainerError
from agent.host import ContainerHost, ContainerSpec, HealthCommand, Port
from agent.testing import Behaviour, MemoryHost

QUICK = HealthSettings(timeout=0.3, interval=0.005, settle=0)


def started(behaviour: Behaviour, **settings: object) -> MemoryHost:
    host = MemoryHost(behaviour=lambda _spec: behaviour)
    host.add_image("app:1")
    host.create(replace(ContainerSpec(name="web", image="app:1"), **settings))  # type: ignore[arg-type]
    host.start("web")
    return host


@pytest.fixture
def answers() -> Iterator[tuple[int, list[int]]]:
    """A port, and the statuses that it will answer with; the last one stays."""
    statuses = [200]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port, statuses
    server.shutdown()
    thread.join()
    server.server_close()


def quick(**settings: object) -> HealthSettings:
    return HealthSettings(**{"timeout": 5, "interval": 0.005, "settle": 0, **settings})  # type: ignore[arg-type]


def test_unhealthy_fails_at_once_and_says_why() -> None:
    sick = Behaviour(health=("starting", "unhealthy"), health_output="the disk is full", output=("booting",))
    began = monotonic()
    with pytest.raises(ContainerError, match="web is unhealthy") as failed:
        await_healthy(started(sick), "web", quick(timeout=60))
    assert monotonic() - began < 10
    assert failed.value.output == ("booting", "health check: the disk is full")


def test_starting_for_too_long_is_not_healthy() -> None:
    with pytest.raises(ContainerError, match=r"was not healthy within 0\.3 s: its HEALTHCHECK has not succeeded"):
        await_healthy(started(Behaviour(health=("starting",))), "web", QUICK)


def test_without_a_port_to_ask_at_nobody_is_kept_waiting() -> None:
    host = started(Behaviour())
    with pytest.raises(ContainerError, match=r"cannot be judged: no port .*; publish one under run\.ports"):
        await_healthy(host, "web", quick(http="/", timeout=600))


def test_so_many_good_answers_in_a_row_are_needed(answers: tuple[int, list[int]]) -> None:
    port, statuses = answers
    statuses[:] = [200, 200, 503, 200, 200, 200]
    host = started(Behaviour(), ports=(Port(container=80, host=port),))
    await_healthy(host, "web", quick(http="/healthz", successes=3))
    assert statuses == [200]


def test_command_and_http_must_both_be_good(answers: tuple[int, list[int]]) -> None:
    settings = {"ports": (Port(container=80, host=answers[0]),), "health": HealthCommand(command=("check",))}
    both = quick(http="/", command=["check"])
    host = started(Behaviour(health=("starting", "starting", "healthy")), **settings)
    await_healthy(host, "web", both)
    with pytest.raises(ContainerError, match="is unhealthy"):
        await_healthy(started(Behaviour(health=("unhealthy",)), **settings), "web", both)
    answers[1][:] = [500]
    with pytest.raises(ContainerError, match=r"not healthy within 0\.05 s: http\S+ answers 500"):
        await_healthy(started(Behaviour(health=("healthy",)), **settings), "web", quick(http="/", timeout=0.05))


@pytest.mark.parametrize(
    ("behaviour", "restart", "message"),
    [
        (Behaviour(exits_with=3, lasts=4, output=("bye",)), "no", "ended with exit code 3"),
        (Behaviour(exits_with=3, lasts=4, output=("bye",)), "always", "keeps restarting|ended with exit code 3"),
        (Behaviour(health=("healthy", "healthy", "unhealthy"), output=("bye",)), "no", "is unhealthy"),
    ],
)
def test_good_and_then_not_in_the_watch_window_is_a_failure(behaviour: Behaviour, restart: str, message: str) -> None:
    await_healthy(started(behaviour, restart=restart), "web", quick())
    with pytest.raises(ContainerError, match=message) as failed:
        await_healthy(started(behaviour, restart=restart), "web", quick(watch=5))
    assert "bye" in failed.value.output


def test_one_bad_answer_while_watched_is_no_failure_but_several_are(answers: tuple[int, list[int]]) -> None:
    port, statuses = answers
    host = started(Behaviour(), ports=(Port(container=80, host=port),))
    statuses[:] = [200, 500, 200]
    await_healthy(host, "web", quick(http="/", watch=0.2))
    statuses[:] = [200, 500]
    with pytest.raises(ContainerError, match=r"was healthy, but not for 5 s: http\S+ answers 500"):
        await_healthy(host, "web", quick(http="/", watch=5))


def test_watching_is_no_part_of_the_time_to_become_good() -> None:
    assert await_healthy(started(Behaviour()), "web", quick(watch=0.2)) < 0.15


def test_real_container_that_dies_while_it_is_watched_has_failed(
    engine_host: ContainerHost, base_image: str, unique_name: Callable[[str], str]
) -> None:
    name = unique_name("dies")
    command = ("sh", "-c", "sleep 0.6; echo no more memory; exit 9")
    engine_host.create(ContainerSpec(name=name, image=base_image, command=command, restart="on-failure"))
    engine_host.start(name)
    with pytest.raises(ContainerError, match=r"keeps restarting|restarted|exit code 9") as failed:
        await_healthy(engine_host, name, HealthSettings(settle=0, interval=0.05, watch=20))
    engine_host.remove(name)
    assert "no more memory" in failed.value.output
