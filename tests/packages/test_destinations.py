"""Feeds that would like us to ask our own machine, our link, or a cloud's metadata service."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from agent.errors import PackageError, RegistryError
from agent.packages import FeedSettings, PackageCache, PackageReference, acquire, open_feed
from agent.packages.feeds import Patience
from agent.registry.destinations import look_up, require_allowed_name
from agent.registry.origin import Origin
from tests.packages.web_server import WebServer, reply

LOOPBACK = [
    *(
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "127.8.9.10",
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
    ),
    *(
        "localhost",
        "LOCALHOST",
        "localhost.",
        "0.0.0.0",
        "0",
        "0.1.2.3",
        "00.0.0.0",
        "127.0.0.001",
        "0x7f.0x0.0x0.0x1",
    ),
    *(
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:0.0.0.0]",
        "[::127.0.0.1]",
    ),
    *("[2002:7f00:1::]", "[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]", "[0000::0001]", "[::ffff:127.255.255.254]"),
]
LINK = [
    *("169.254.0.1", "169.254.1.2", "2851995649", "0xa9fe0001", "0251.0376.0.1", "169.254.1", "169.16646145"),
    *("[fe80::1]", "[febf::1]", "[::ffff:169.254.1.2]", "[64:ff9b::a9fe:1]", "[2002:a9fe:1::]", "[::a9fe:1]"),
]
METADATA = [
    *("169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "169.254.170.2"),
    *("[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[fd00:ec2::254]", "[64:ff9b::a9fe:a9fe]", "100.100.100.200"),
    *("192.0.0.192", "[2002:a9fe:a9fe::]", "[::169.254.169.254]", "224.0.0.1", "[ff02::1]"),
]


@pytest.mark.parametrize("host", [*LOOPBACK, *LINK, *METADATA])
def test_no_spelling_of_these_hosts_is_asked(
    tmp_path: Path, server: WebServer, attacker: WebServer, host: str
) -> None:
    """Neither as the feed's own address, nor through a proxy, nor by a redirect."""
    settings = FeedSettings(
        type="http",
        uri=f"http://{host}:{server.port}/{{id}}.{{version}}.zip",
        insecure=True,
        username="a",
        password="b",
    )
    feed = open_feed("test", settings, tmp_path, Patience(pause=lambda _: None))
    reference = PackageReference(id="App", version="1.0.0")
    with pytest.raises(PackageError, match=r"is this machine, its link, or a metadata service|its name is not known"):
        acquire([reference], {"built-in": feed}, PackageCache(tmp_path / "cache"), lambda _: lambda *_: None)
    assert server.asked == []


@pytest.mark.parametrize("host", [host for host in (*LOOPBACK, *LINK, *METADATA) if not host.startswith("0.1")])
def test_no_proxy_is_asked_for_them(
    server: WebServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    server.everything = reply(200, {}, b"metadata")
    settings = FeedSettings(type="maven", uri=f"http://{host}:8/", insecure=True)
    with pytest.raises(PackageError, match=r"is this machine, its link, or a metadata service"):
        open_feed("test", settings, tmp_path, Patience(pause=lambda _: None)).versions("a:b")
    assert server.asked == []


@pytest.mark.parametrize("host", METADATA)
def test_metadata_services_are_not_asked_even_where_this_machine_may_be(host: str) -> None:
    origin = Origin(scheme="http", host=host.strip("[]"), port=80)
    with pytest.raises(RegistryError, match="metadata service"):
        look_up(origin, allow_local=True)
    with pytest.raises(RegistryError, match="metadata service"):
        require_allowed_name(origin, allow_local=True)


def test_a_name_is_judged_by_what_it_leads_to_and_connected_to_just_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers otherwise the second time changes nothing."""
    answers = ["93.184.216.34", "127.0.0.1"]

    def resolver(host: str, port: int, **_: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    origin = Origin(scheme="https", host="rebinding.test", port=443)
    (destination,) = look_up(origin, allow_local=False)
    assert destination.address == ("93.184.216.34", 443)
    with pytest.raises(RegistryError, match="is this machine"):
        look_up(origin, allow_local=False)


def test_private_networks_are_where_feeds_live() -> None:
    for host in ("10.1.2.3", "192.168.0.5", "172.16.9.9", "fd12:3456::1"):
        assert look_up(Origin(scheme="https", host=host, port=443), allow_local=False)


def test_an_oci_registry_is_judged_alike(tmp_path: Path, server: WebServer) -> None:
    feed = open_feed("test", FeedSettings(type="oci", uri=f"oci://127.0.0.1:{server.port}"), tmp_path)
    with pytest.raises(PackageError, match="is this machine"):
        feed.versions("web")
    assert server.asked == []
