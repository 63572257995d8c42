from typing import Any

import pytest

from agent.containers import CUTOVER, SPECIFICATION, Hold, Proxy, RunSettings, shape_of
from agent.documents import convert
from agent.errors import InputError
from agent.host import Port

HAPROXY = {"strategy": "proxy", "haproxy": "/run/haproxy/admin.sock", "backend": "shop"}
NGINX = {"strategy": "proxy", "nginx": "/etc/nginx/conf.d/shop.conf", "backend": "shop", "url": "http://127.0.0.1/"}


def settings(**run: Any) -> RunSettings:
    return convert({"name": "shop", "ports": ["80"], **run}, RunSettings, where="step.yaml: run")


def specification(**run: Any) -> Any:
    return settings(**run).specification("shop:1", "deployments-1", {})


def test_without_a_word_a_container_is_recreated_and_carries_no_label() -> None:
    spec = specification(ports=["8080:80"])
    assert CUTOVER not in spec.labels
    assert spec.ports == (Port(container=80, host=8080),)


def test_behind_a_proxy_nothing_is_published() -> None:
    spec = specification(cutover=HAPROXY, replicas=3)
    assert spec.ports == ()
    shape = shape_of(spec.labels)
    assert isinstance(shape.cutover, Proxy)
    assert (shape.port, shape.replicas) == (80, 3)


def test_a_port_may_be_published_for_the_proxy_alone() -> None:
    spec = specification(cutover={**HAPROXY, "via": "published"})
    assert spec.ports == (Port(container=80, address="127.0.0.1"),)


def test_the_relay_publishes_what_the_container_would_have() -> None:
    spec = specification(ports=["8080:80"], network="backend", cutover={"strategy": "hold", "limit": "5"})
    shape = shape_of(spec.labels)
    assert spec.ports == ()
    assert isinstance(shape.cutover, Hold)
    assert shape.cutover.limit == 5
    assert (shape.ports, shape.port, shape.networks) == ((Port(container=80, host=8080),), 80, ("backend",))


def test_another_way_of_cutting_over_is_another_specification() -> None:
    ways: list[dict[str, Any]] = [
        {},
        {"cutover": HAPROXY},
        {"cutover": NGINX},
        {"cutover": HAPROXY, "on-failure": "off"},
    ]
    assert len({specification(**way).labels[SPECIFICATION] for way in ways}) == len(ways)


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ({"cutover": {"strategy": "prxy"}}, "cutover.strategy"),
        ({"cutover": {"strategy": "hold", "backend": "shop"}}, "unknown key 'backend'"),
        ({"cutover": {"strategy": "proxy", "backend": "shop"}}, "either with haproxy: SOCKET or with nginx: FILE"),
        ({"cutover": {**HAPROXY, "nginx": "/x"}}, "either with haproxy: SOCKET or with nginx: FILE"),
        ({"cutover": {**HAPROXY, "backend": "a b; shutdown"}}, "'a b; shutdown' is no name"),
        ({"cutover": {**NGINX, "backend": "shop { }"}}, "'shop { }' is no name"),
        ({"cutover": {**NGINX, "url": "file:///etc/passwd"}}, "the url under which it serves the backend"),
        ({"cutover": {**NGINX, "state": "/x"}}, "only HAProxy has a server-state-file"),
        ({"cutover": {**HAPROXY, "drain": -1}}, "run.cutover.drain: write 0 to 86400"),
        ({"cutover": {"strategy": "hold", "limit": "0"}}, "run.cutover.limit: write 1 to 3600"),
        (
            {"cutover": HAPROXY, "ports": ["8080:80"]},
            "'8080:80' publishes a port that is the proxy's to own; write '80'",
        ),
        ({"cutover": HAPROXY, "ports": []}, "say which port of the container the proxy leads to"),
        ({"cutover": {"strategy": "hold"}, "ports": []}, "needs a port to own"),
        ({"cutover": {"strategy": "hold"}, "ports": ["53:53/udp"]}, "is not TCP"),
        ({"cutover": {"strategy": "hold"}, "ports": ["1:80", "2:80"]}, "one port to each port of the container"),
        ({"replicas": 2, "ports": ["8080:80"]}, "several containers need a proxy before them"),
        ({"replicas": 0}, "run.replicas: it is 0; write 1 to 100"),
        ({"on-failure": "ignore"}, "on-failure"),
    ],
)
def test_what_cannot_be_is_said_with_its_name(run: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        specification(**run)
    assert expected in str(caught.value)
