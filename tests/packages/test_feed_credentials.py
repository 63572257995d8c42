"""Redirects, realms and origins that try to get a feed's credentials: they reach the feed's own origin only."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from agent.errors import PackageError
from agent.packages import PackageCache, PackageReference, acquire
from agent.packages.feeds import Feed
from agent.packages.web import Access, parse_address
from tests.packages.conftest import OpenFeed
from tests.packages.web_server import Special, WebServer, reply

Place = Callable[[WebServer, WebServer], str]

REDIRECTS: dict[str, Place] = {
    "other port": lambda _, evil: f"{evil.url}/x",
    "other name of the same machine": lambda feed, _: f"http://localhost:{feed.port}/x",
    "without scheme": lambda _, evil: f"//127.0.0.1:{evil.port}/x",
    "user part that looks like the feed": lambda feed, evil: f"http://127.0.0.1:{feed.port}@127.0.0.1:{evil.port}/x",
    "user part with a slash": lambda feed, evil: f"http://127.0.0.1:{feed.port}%2F@127.0.0.1:{evil.port}/x",
    "backslash": lambda feed, evil: f"http://127.0.0.1:{evil.port}\\@127.0.0.1:{feed.port}/x",
    "backslashes for slashes": lambda _, evil: f"\\\\127.0.0.1:{evil.port}\\x",
    "fragment before the host's end": lambda feed, evil: f"http://127.0.0.1:{evil.port}#@127.0.0.1:{feed.port}/x",
    "question mark": lambda feed, evil: f"http://127.0.0.1:{evil.port}?@127.0.0.1:{feed.port}/x",
    "tab in the scheme": lambda _, evil: f"ht\ttp://127.0.0.1:{evil.port}/x",
    "blank": lambda _, evil: f" http://127.0.0.1:{evil.port}/x",
    "upper case": lambda _, evil: f"HTTP://127.0.0.1:{evil.port}/x",
    "decimal address": lambda _, evil: f"http://2130706433:{evil.port}/x",
    "octal address": lambda _, evil: f"http://0177.0.0.1:{evil.port}/x",
    "hexadecimal address": lambda _, evil: f"http://0x7f000001:{evil.port}/x",
    "short address": lambda _, evil: f"http://127.1:{evil.port}/x",
    "mapped address": lambda _, evil: f"http://[::ffff:127.0.0.1]:{evil.port}/x",
    "trailing dot": lambda _, evil: f"http://localhost.:{evil.port}/x",
    "full-width digits": lambda _, evil: f"http://\uff11\uff12\uff17.0.0.1:{evil.port}/x",
    "ideographic stop": lambda _, evil: f"http://127\u30020\u30020\u30021:{evil.port}/x",
    "port with zeros": lambda _, evil: f"http://127.0.0.1:000{evil.port}/x",
    "other scheme": lambda _, evil: f"ftp://127.0.0.1:{evil.port}/x",
    "file": lambda _f, _e: "file:///etc/passwd",
    "gopher": lambda _, evil: f"gopher://127.0.0.1:{evil.port}/_GET",
    "empty": lambda _f, _e: "",
    "header injection": lambda _, evil: f"{evil.url}/x%0d%0aAuthorization:%20x",
}


@pytest.mark.parametrize("trick", REDIRECTS)
@pytest.mark.parametrize("status", [302, 307])
def test_no_redirect_takes_the_credentials_along(
    tmp_path: Path, server: WebServer, attacker: WebServer, opened: OpenFeed, trick: str, status: int
) -> None:
    location = REDIRECTS[trick](server, attacker)
    server.everything = _only_path("/My.App.1.0.0.zip", _redirect(status, location))
    attacker.everything = reply(200, {}, b"evil")
    feed = opened("http", f"{server.url}/{{id}}.{{version}}.zip", username="me", password="word")
    _try(tmp_path, feed)
    assert {asked.path for asked in server.asked if asked.secrets} == {"/My.App.1.0.0.zip"}
    assert attacker.secrets == []


def test_a_way_back_through_a_foreign_place_gets_no_credentials(
    tmp_path: Path, server: WebServer, attacker: WebServer, opened: OpenFeed
) -> None:
    server.special["/My.App.1.0.0.zip"] = reply(302, {"Location": f"{attacker.url}/x"})
    attacker.everything = reply(302, {"Location": f"{server.url}/admin/delete"})
    _try(tmp_path, opened("http", f"{server.url}/{{id}}.{{version}}.zip", username="me", password="word"))
    assert "/admin/delete" in [asked.path for asked in server.asked]
    assert not [asked for asked in server.asked if asked.path == "/admin/delete" and asked.secrets]


@pytest.mark.parametrize(
    "challenge",
    [
        'Bearer realm="{evil}/token"',
        'Basic realm="{evil}"',
        'Bearer realm="{evil}/token", Basic realm="x"',
        'Negotiate, Bearer realm="{evil}/token"',
        'Digest realm="{evil}", nonce="x"',
    ],
)
@pytest.mark.parametrize("type", ["http", "nuget", "maven", "github", "octopus"])
def test_no_realm_is_asked(
    tmp_path: Path,
    server: WebServer,
    attacker: WebServer,
    opened: OpenFeed,
    challenge: str,
    type: str,  # noqa: A002
) -> None:
    server.everything = reply(401, {"WWW-Authenticate": challenge.format(evil=attacker.url)})
    secret = {"api_key": "key"} if type in {"github", "octopus"} else {"username": "me", "password": "word"}
    template = "/{id}.{version}.zip" if type == "http" else "/index.json" if type == "nuget" else ""
    with pytest.raises(PackageError, match=r"refuses the credentials given \(401\)"):
        _acquire(tmp_path, opened(type, server.url + template, **secret), type)
    assert attacker.asked == []


@pytest.mark.parametrize("place", ["flat", "registration", "catalog", "redirected"])
def test_places_that_a_service_index_names_get_no_credentials(
    tmp_path: Path, server: WebServer, attacker: WebServer, opened: OpenFeed, place: str
) -> None:
    there = attacker.url
    flat = there if place == "flat" else server.url
    registration = there if place == "registration" else server.url
    entry = f"{there if place == 'catalog' else server.url}/catalog.json"
    resources = [
        {"@id": f"{flat}/flat/", "@type": "PackageBaseAddress/3.0.0"},
        {"@id": f"{registration}/reg/", "@type": "RegistrationsBaseUrl/3.6.0"},
    ]
    server.files["/index.json"] = json.dumps({"resources": resources}).encode()
    for web in (server, attacker):
        web.files["/flat/my.app/index.json"] = b'{"versions": ["1.0.0"]}'
        web.files["/reg/my.app/1.0.0.json"] = json.dumps({"catalogEntry": entry}).encode()
        web.files["/catalog.json"] = b"{}"
    if place == "redirected":
        server.special["/flat/my.app/index.json"] = reply(301, {"Location": f"{there}/flat/my.app/index.json"})
    _try(tmp_path, opened("nuget", f"{server.url}/index.json", username="me", password="word"))
    assert server.secrets
    assert attacker.asked
    assert attacker.secrets == []


def test_version_2_pages_elsewhere_get_no_credentials(
    tmp_path: Path, server: WebServer, attacker: WebServer, opened: OpenFeed
) -> None:
    server.files["/FindPackagesById()"] = f"<feed><link rel='next' href='{attacker.url}/2'/></feed>".encode()
    attacker.files["/2"] = b"<feed/>"
    _try(tmp_path, opened("nuget", server.url, username="me", password="word"))
    assert attacker.paths() == ["/2"]
    assert attacker.secrets == []


def test_archives_that_a_tag_names_elsewhere_get_no_token(
    tmp_path: Path, server: WebServer, attacker: WebServer, opened: OpenFeed
) -> None:
    tags = [{"name": "1.0.0", "zipball_url": f"{attacker.url}/zip"}]
    server.files["/repos/acme/web/tags"] = json.dumps(tags).encode()
    with pytest.raises(PackageError):
        _acquire(tmp_path, opened("github", server.url, api_key="key"), "github")
    assert attacker.paths() == ["/zip"]
    assert attacker.secrets == []


def test_credentials_do_not_go_in_clear() -> None:
    address = parse_address("http://feed.test/x")
    access = Access(origin=address.origin, headers={"Authorization": "secret"})
    with pytest.raises(PackageError, match="would get the credentials in clear; use https, or set insecure"):
        access.headers_for(address.origin)
    assert "secret" not in repr(access)


def _only_path(path: str, answer: Special) -> Special:
    """What else is asked for is there."""
    return lambda handler: answer(handler) if handler.path == path else reply(200, {}, b"ours")(handler)


def _redirect(status: int, location: str) -> Special:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(f"HTTP/1.1 {status} Moved\r\nContent-Length: 0\r\nLocation: {location}\r\n\r\n".encode())

    return answer


def _try(tmp_path: Path, feed: Feed) -> None:
    """Whether it works or not: what counts is what the servers have seen."""
    with suppress(PackageError):
        _acquire(tmp_path, feed, "")


def _acquire(tmp_path: Path, feed: Feed, type: str) -> None:  # noqa: A002
    id_ = {"maven": "com.acme:web", "github": "acme/web"}.get(type, "My.App")
    reference = PackageReference(id=id_, version="1.0.0")
    acquire([reference], {"built-in": feed}, PackageCache(tmp_path / "cache"), lambda _: lambda *_: None)
