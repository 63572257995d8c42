"""Replacements on a real engine, behind real proxies and our relay, with somebody asking all the time."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from agent.containers import Recreate, Scaling, lead, scale
from agent.containers.cutover import Scene
from agent.errors import ContainerError, DockwrightError, HostError, InputError
from agent.host import ContainerHost, ContainerSpec
from agent.slot.recovery import recover
from tests.system.place import Place, Way, one_serves_after_death, page
from tests.system.prober import Answer, ask, probing
from tests.system.proxies import PLACES, RunningProxy, haproxy, nginx
from tests.system.shop import free_port


@pytest.fixture
def behind_haproxy(proxy_folder: Path, tool: Callable[[str], str]) -> Iterator[RunningProxy]:
    with haproxy(proxy_folder, tool) as running:
        yield running


@pytest.fixture(params=["haproxy", "haproxy in place", "nginx"])
def proxy(request: pytest.FixtureRequest, proxy_folder: Path, tool: Callable[[str], str]) -> Iterator[RunningProxy]:
    if request.param == "nginx":
        opened = nginx(proxy_folder, tool)
    else:
        opened = haproxy(proxy_folder, tool, PLACES.format(number=1 if "place" in request.param else 4))
    with opened as running:
        yield running


@pytest.fixture(params=["haproxy", "nginx", "hold", "recreate"])
def way(
    request: pytest.FixtureRequest, proxy_folder: Path, tool: Callable[[str], str], place: Place
) -> Iterator[Way]:
    if request.param == "hold":
        yield place.held()
    elif request.param == "recreate":
        port = free_port()
        yield Way(Recreate(), [f"127.0.0.1:{port}:80"], port)
    else:
        with (haproxy if request.param == "haproxy" else nginx)(proxy_folder, tool) as running:
            yield running.way


def test_through_a_proxy_nothing_is_lost_and_a_slow_request_is_answered(place: Place, proxy: RunningProxy) -> None:
    assert_loses_nothing(place, proxy.way)


def test_while_requests_are_held_nothing_is_lost_and_a_slow_request_is_answered(place: Place) -> None:
    assert_loses_nothing(place, place.held(limit=300, drain=300))


def assert_loses_nothing(place: Place, way: Way) -> None:
    place.deploy(1, way)
    slow: list[Answer] = []
    asking = threading.Thread(target=lambda: slow.append(ask(way.port, "/slow")))
    with probing(way.port) as probe:
        asking.start()
        while len(probe.answers) < 50:
            time.sleep(0.01)
        place.deploy(2, way, BOOT="1")
        asking.join()
    assert probe.lost == []
    assert probe.versions == ["1", "2"]
    assert [answer.problem for answer in slow] == [""]
    assert place.serving() == ["2"]
    assert ask(way.port).body == "2"


@pytest.mark.parametrize("part", [0, 1, 2, 3])
def test_killed_at_any_moment_one_version_serves_after_recovery(part: int, place: Place, way: Way) -> None:
    moments = (4, 6, 8, 10) if isinstance(way.cutover, Recreate) else (4, 10, 13, 16)  # it has fewer
    assert one_serves_after_death(moments[part], place, way), "the replacement ended before that moment"


def test_what_does_not_become_good_gives_way_and_nobody_notices(place: Place, behind_haproxy: RunningProxy) -> None:
    assert_gives_way(place, behind_haproxy.way)


def test_what_does_not_become_good_gives_way_while_requests_are_held(place: Place) -> None:
    assert_gives_way(place, place.held())


def assert_gives_way(place: Place, way: Way) -> None:
    place.deploy(1, way)
    with probing(way.port) as probe, pytest.raises(ContainerError, match="ended with exit code 1"):
        place.deploy(2, way, EXITS="1")
    assert probe.lost == []
    assert probe.versions == ["1"]
    assert place.serving() == ["1"]
    assert len([one for one in place.containers() if one not in place.relays()]) == 1


def test_any_way_follows_any_other(place: Place, behind_haproxy: RunningProxy) -> None:
    port = free_port()
    owned = Way(Recreate(), [f"127.0.0.1:{port}:80"], port)
    kept_waiting = Way(place.held().cutover, owned.ports, port)
    proxied = behind_haproxy.way
    ways = [owned, kept_waiting, owned, proxied, kept_waiting, proxied, owned]
    for number, way in enumerate(ways, 1):
        place.deploy(number, way)
        assert place.serving() == [str(number)]
        assert ask(way.port).body == str(number)
        assert len(place.relays()) == (way is kept_waiting)
        if way is not proxied:
            assert ask(behind_haproxy.port).problem


def test_a_change_of_ways_that_fails_is_undone(place: Place, behind_haproxy: RunningProxy) -> None:
    port = free_port()
    owned = Way(Recreate(), [f"127.0.0.1:{port}:80"], port)
    kept_waiting = Way(place.held().cutover, owned.ports, port)
    for number, (before, after) in enumerate(((owned, kept_waiting), (kept_waiting, owned)), 1):
        place.deploy(number, before)
        with pytest.raises(ContainerError):
            place.deploy(9, after, EXITS="1")
        assert place.serving() == [str(number)]
        assert page(port) == str(number)


def test_replicas_are_replaced_one_by_one_and_scaled(place: Place, behind_haproxy: RunningProxy) -> None:
    way = behind_haproxy.way
    with pytest.raises(InputError, match="has 4 servers, too few for 5 replicas"):
        place.deploy(1, way, replicas=5)
    place.deploy(1, way, replicas=2)
    assert place.serving() == ["1", "1-2"]
    with probing(way.port, rate=100) as probe:
        place.deploy(2, way, replicas=2)
        assert place.serving() == ["2", "2-2"]
        assert scaled(place, way, 2, to=3) == ["2", "2-2", "2-3"]
        assert scaled(place, way, 2, to=1) == ["2"]
        with pytest.raises(ContainerError):
            place.deploy(3, way, replicas=3, EXITS="1")
    assert place.serving() == ["2"]
    assert probe.lost == []
    assert probe.versions == ["1", "2"]


def scaled(place: Place, way: Way, number: int, to: int) -> list[str]:
    def more(_like: object) -> ContainerSpec:
        return place.replacement(number, way, replicas=2).spec

    scaling = Scaling(slot=place.name, replicas=to, spec=more)
    entry = place.journal.entry(place.journal.runs()[0])
    from contextlib import nullcontext

    scale(scaling, place.host, entry, nullcontext, place.said.append)
    return place.serving()


def test_one_replica_that_fails_takes_all_back(place: Place, behind_haproxy: RunningProxy) -> None:
    way = behind_haproxy.way
    place.deploy(1, way, replicas=2)
    second = f"{place.name}-deployments-2-2"
    stranger = place.host.create(ContainerSpec(name=second, image=place.image))
    try:
        with probing(way.port) as probe, pytest.raises(ContainerError, match="not of this slot"):
            place.deploy(2, way, replicas=2)
    finally:
        place.host.remove(stranger.id)
    assert probe.lost == []
    assert place.serving() == ["1", "1-2"]


def test_what_haproxy_leads_to_outlives_its_restart(place: Place, behind_haproxy: RunningProxy) -> None:
    place.deploy(1, behind_haproxy.way)
    behind_haproxy.stop()
    behind_haproxy.start()
    assert ask(behind_haproxy.port).body == "1"


def test_a_relay_that_is_restarted_leads_where_it_led(place: Place) -> None:
    way = place.held()
    place.deploy(1, way)
    (relay,) = place.relays()
    place.host.stop(relay.id, 5)
    place.host.start(relay.id)
    assert page(way.port) == "1"


def test_nobody_waits_longer_than_the_limit_and_the_deployment_goes_on(place: Place) -> None:
    way = place.held(limit=1)
    place.deploy(1, way)
    with probing(way.port, rate=20) as probe:
        place.deploy(2, way, BOOT="2.5")
    assert {answer.problem for answer in probe.lost} == {"HTTP/1.1 503 Service Unavailable"}
    assert ask(way.port).body == "2"


@pytest.mark.parametrize(
    ("settings", "error", "expected"),
    [
        ({"haproxy": "/nowhere/admin.sock"}, HostError, "does not answer .* see that HAProxy runs"),
        ({"haproxy": "127.0.0.1:1"}, HostError, "does not answer"),
        ({"backend": "shpo"}, InputError, "Can't find backend.* see run.cutover.backend"),
    ],
)
def test_a_proxy_that_cannot_be_told_is_found_out_before_anything_changes(
    settings: dict[str, str],
    error: type[DockwrightError],
    expected: str,
    place: Place,
    behind_haproxy: RunningProxy,
) -> None:
    place.deploy(1, behind_haproxy.way)
    changed_settings = msgspec.structs.replace(behind_haproxy.settings, **settings)
    with pytest.raises(error, match=expected):
        place.deploy(2, Way(changed_settings, ["80"], behind_haproxy.port))
    assert place.journal.effects(place.journal.runs()[0]) == []
    assert ask(behind_haproxy.port).body == "1"


def test_a_proxy_that_goes_in_the_middle_leaves_the_old_one_running(
    place: Place, behind_haproxy: RunningProxy
) -> None:
    place.deploy(1, behind_haproxy.way)
    going = threading.Timer(1, behind_haproxy.stop)
    going.start()
    with pytest.raises(ContainerError, match="a guard goes on trying"):
        place.deploy(2, behind_haproxy.way, BOOT="2")
    going.join()
    assert "1" in place.serving()
    behind_haproxy.start()
    recover(place.name, place.journal, lambda: place.host, place.said.append)
    assert len(place.serving()) == 1
    assert ask(behind_haproxy.port).body == place.serving()[0]


def test_addresses_that_changed_are_led_to_again(place: Place, behind_haproxy: RunningProxy) -> None:
    place.deploy(1, behind_haproxy.way)
    (now,) = place.containers()
    place.host.stop(now.id, 2)
    stranger = place.host.create(ContainerSpec(name=f"{place.name}-other", image=place.image))
    place.host.start(stranger.id)
    place.host.start(now.id)
    try:
        lead(Scene(slot=place.name, host=place.host, journal=place.begin(1), log=place.said.append))
        assert page(behind_haproxy.port) == "1"
    finally:
        place.host.remove(stranger.id)


@pytest.mark.parametrize("on_failure", ["notify", "off"])
def test_what_is_unhealthy_may_be_left_as_it_is(on_failure: str, place: Place) -> None:
    port = free_port()
    way = Way(Recreate(), [f"127.0.0.1:{port}:80"], port)
    place.deploy(1, way)
    if on_failure == "notify":
        place.deploy(2, way, SICK="1", on_failure="notify")
    else:
        with pytest.raises(ContainerError, match="was not healthy"):
            place.deploy(2, way, SICK="1", on_failure="off")
    assert place.serving() == ["2"]
    assert any(line.startswith("warning:") for line in place.said)


def test_a_connection_between_two_requests_is_carried_over(place: Place) -> None:
    way = place.held()
    place.deploy(1, way)
    client = http.client.HTTPConnection("127.0.0.1", way.port, timeout=30)
    assert said_on(client) == "1"
    place.deploy(2, way)
    assert client.sock is not None
    assert said_on(client) == "2"
    client.close()


def said_on(client: http.client.HTTPConnection) -> str:
    client.request("GET", "/")
    return client.getresponse().read().decode()


def test_where_only_the_relay_reaches_the_container_it_asks_for_its_health(place: Place) -> None:
    place.host = Distant(place.host)  # type: ignore[assignment]
    way = place.held()
    place.deploy(1, way)
    with pytest.raises(ContainerError, match=r"was not healthy within .* answers 500"):
        place.deploy(2, way, SICK="1")
    assert page(way.port) == "1"


class Distant:
    """The same engine, as it would be on another machine whose containers cannot be reached."""

    address = "192.0.2.1"

    def __init__(self, near: ContainerHost) -> None:
        self._near = near

    def __getattr__(self, name: str) -> object:
        return getattr(self._near, name)


def test_another_patience_with_the_same_proxy_leads_on(place: Place, proxy: RunningProxy) -> None:
    place.deploy(1, proxy.way)
    patient = msgspec.structs.replace(proxy.settings, drain=11)
    place.deploy(2, Way(patient, ["80"], proxy.port))
    assert page(proxy.port) == "2"


def test_behind_a_proxy_what_is_unhealthy_is_stopped_and_left(place: Place, behind_haproxy: RunningProxy) -> None:
    place.deploy(1, behind_haproxy.way)
    with pytest.raises(ContainerError, match="was not healthy"):
        place.deploy(2, behind_haproxy.way, SICK="1", on_failure="off")
    assert place.serving() == ["1"]
    assert [one.state for one in place.containers() if not one.running] == ["exited"]
    assert page(behind_haproxy.port) == "1"
