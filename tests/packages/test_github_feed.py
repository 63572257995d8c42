from __future__ import annotations

import hashlib
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from agent.errors import PackageError
from agent.packages import PackageCache, PackageReference, acquire, extract
from agent.packages.acquire import AcquiredPackage
from agent.packages.feeds import Feed
from tests.packages.archive_making import Member, zip_bytes
from tests.packages.conftest import OpenFeed
from tests.packages.web_server import WebServer, reply

TOP = "acme-web-0123abc"
SOURCE = [
    Member(name=f"{TOP}/", kind="folder"),
    Member(name=f"{TOP}/Dockerfile", data=b"FROM x"),
    Member(name=f"{TOP}/bin/", kind="folder"),
    Member(name=f"{TOP}/bin/run.sh", data=b"#!/bin/sh", mode=0o755),
    Member(name=f"{TOP}/bin/link", kind="symlink", target="run.sh"),
]


def test_a_tag_is_a_version_and_its_source_comes_without_the_top_folder(
    tmp_path: Path, server: WebServer, attacker: WebServer, opened: OpenFeed
) -> None:
    _tags(server, [f"v1.{n}.0" for n in range(150)] + ["nightly", "release-7"])
    server.special["/repos/acme/web/zipball/v1.149.0"] = reply(302, {"Location": f"{attacker.url}/codeload?token=t"})
    attacker.files["/codeload"] = zip_bytes(SOURCE)
    package = _acquire(tmp_path, opened("github", server.url, api_key="ghp_secret"), "1.*")
    extract(package, tmp_path / "tree")
    assert {path.relative_to(tmp_path / "tree").as_posix() for path in (tmp_path / "tree").rglob("*")} == {
        *("Dockerfile", "bin", "bin/run.sh", "bin/link")
    }
    assert (tmp_path / "tree/bin/run.sh").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "tree/bin/link").read_bytes() == b"#!/bin/sh"
    assert set(server.secrets) == {"token ghp_secret"}
    assert attacker.secrets == []


def test_the_same_source_gives_the_same_bytes(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    _tags(server, ["1.0.0"])
    server.files["/repos/acme/web/zipball/1.0.0"] = zip_bytes(SOURCE)
    feed = opened("github", server.url)
    hashes = {_acquire(tmp_path / name, feed, "1.0.0").sha256 for name in ("one", "two")}
    assert len(hashes) == 1


def test_a_tag_that_was_moved_is_fetched_again(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    feed = opened("github", server.url)
    server.files["/repos/acme/web/zipball/1.0.0"] = zip_bytes(SOURCE)
    _tags(server, ["1.0.0"], commit="a" * 40)
    first = _acquire(tmp_path, feed, "1.0.0")
    assert _acquire(tmp_path, feed, "1.0.0").sha256 == first.sha256
    assert len([path for path in server.paths() if "zipball" in path]) == 1
    _tags(server, ["1.0.0"], commit="b" * 40)
    server.files["/repos/acme/web/zipball/1.0.0"] = zip_bytes(SOURCE[:2])
    assert _acquire(tmp_path, feed, "1.0.0").sha256 != first.sha256


@pytest.mark.parametrize("content", [b"no zip", b"", zip_bytes(SOURCE)[:-40]])
def test_what_is_no_archive_is_refused_and_leaves_nothing(
    tmp_path: Path, server: WebServer, opened: OpenFeed, content: bytes
) -> None:
    _tags(server, ["1.0.0"])
    server.files["/repos/acme/web/zipball/1.0.0"] = content
    with pytest.raises(PackageError, match=r"the archive of acme/web 1\.0\.0 .*; it is not used"):
        _acquire(tmp_path, opened("github", server.url), "1.0.0")
    assert list((tmp_path / "cache/incoming").iterdir()) == []


def test_a_bomb_is_refused(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    _tags(server, ["1.0.0"])
    server.files["/repos/acme/web/zipball/1.0.0"] = zip_bytes([Member(name="top/zeros", data=bytes(100 << 20))])
    with pytest.raises(PackageError, match="only a bomb does"):
        _acquire(tmp_path, opened("github", server.url), "1.0.0")
    assert list((tmp_path / "cache/incoming").iterdir()) == []


def test_the_rate_limit_is_told(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    server.everything = reply(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1700000000"})
    with pytest.raises(
        PackageError, match=r"rate limit is reached until 2023-11-14 22:13:20 UTC; wait, or give credentials"
    ):
        _acquire(tmp_path, opened("github", server.url), "1.0.0")


@pytest.mark.parametrize(
    ("assets", "pattern", "chosen"),
    [
        (["web.1.0.0.zip", "web-arm.tar.gz", "notes.txt"], "", "web.1.0.0.zip"),
        (["only.tar.gz", "SHA256SUMS"], "", "only.tar.gz"),
        (["WEB.1.0.0.TAR.GZ", "other.zip"], "", "WEB.1.0.0.TAR.GZ"),
        (["web-1.0.0-linux.zip", "web-1.0.0-windows.zip"], "{id}-{version}-lin*.zip", "web-1.0.0-linux.zip"),
    ],
)
def test_a_releases_archive_is_the_package(
    tmp_path: Path, server: WebServer, opened: OpenFeed, assets: list[str], pattern: str, chosen: str
) -> None:
    _tags(server, ["v1.0.0"])
    _release(server, "v1.0.0", assets)
    package = _acquire(tmp_path, opened("github", server.url, asset=pattern), "1.0.0")
    assert package.path.read_bytes() == chosen.encode()
    assert package.extension in {".zip", ".tar.gz"}
    (asked,) = [asked for asked in server.asked if "releases/assets" in asked.path]
    assert asked.headers["accept"] == "application/octet-stream"


def test_the_token_does_not_follow_an_asset_to_where_it_is_kept(
    tmp_path: Path, server: WebServer, attacker: WebServer, opened: OpenFeed
) -> None:
    _tags(server, ["1.0.0"])
    _release(server, "1.0.0", ["web.1.0.0.zip"])
    server.special["/repos/acme/web/releases/assets/1"] = reply(302, {"Location": f"{attacker.url}/kept?signed=1"})
    attacker.files["/kept"] = b"web.1.0.0.zip"
    package = _acquire(tmp_path, opened("github", server.url, api_key="ghp_secret"), "1.0.0")
    assert package.path.read_bytes() == b"web.1.0.0.zip"
    assert set(server.secrets) == {"token ghp_secret"}
    assert attacker.secrets == []


def test_source_may_be_asked_for_though_there_are_assets(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    _tags(server, ["1.0.0"])
    _release(server, "1.0.0", ["web.1.0.0.zip"])
    server.files["/repos/acme/web/zipball/1.0.0"] = zip_bytes(SOURCE)
    package = _acquire(tmp_path, opened("github", server.url, asset="source"), "1.0.0")
    assert package.path.read_bytes() != b"web.1.0.0.zip"


@pytest.mark.parametrize(
    ("assets", "pattern", "message"),
    [
        (["a.zip", "b.tar.gz"], "", r"has 2 archives \(a\.zip, b\.tar\.gz\); name one"),
        (["a.zip"], "b*", r"has no archive 'b\*' \(a\.zip\)"),
        ([], "b*", r"has no archive 'b\*' \(none\)"),
        (["a.zip", "b.zip"], "*.zip", r"has 2 archives"),
    ],
)
def test_an_asset_that_is_not_clear_is_told(
    tmp_path: Path, server: WebServer, opened: OpenFeed, assets: list[str], pattern: str, message: str
) -> None:
    _tags(server, ["1.0.0"])
    _release(server, "1.0.0", assets)
    with pytest.raises(PackageError, match=message):
        _acquire(tmp_path, opened("github", server.url, asset=pattern), "1.0.0")


@pytest.mark.parametrize("lie", [{"size": 5}, {"digest": f"sha256:{'0' * 64}"}])
def test_an_asset_that_is_not_what_the_release_says_is_refused(
    tmp_path: Path, server: WebServer, opened: OpenFeed, lie: dict[str, object]
) -> None:
    _tags(server, ["1.0.0"])
    _release(server, "1.0.0", ["web.1.0.0.zip"], **lie)
    with pytest.raises(PackageError, match="the feed says"):
        _acquire(tmp_path, opened("github", server.url), "1.0.0")
    assert list((tmp_path / "cache/incoming").iterdir()) == []


def test_an_asset_that_was_put_up_anew_is_fetched_again(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    _tags(server, ["1.0.0"])
    feed = opened("github", server.url)
    for name, date in (("web.1.0.0.zip", "2026-01-01"), ("web.1.0.0.zip", "2026-01-01"), ("x.zip", "2026-01-02")):
        _release(server, "1.0.0", [name], updated_at=date)
        assert _acquire(tmp_path, feed, "1.0.0").path.read_bytes() == name.encode()
    assert len([path for path in server.paths() if "releases/assets" in path]) == 2


@pytest.mark.parametrize("id", ["web", "a/b/c", "../x", "acme/..", "acme/.", "acme/w?b", "acme/wéb", "/web", "acme/"])
def test_what_is_no_repository_is_refused(tmp_path: Path, server: WebServer, opened: OpenFeed, id: str) -> None:  # noqa: A002
    with pytest.raises(PackageError, match="is not a repository"):
        opened("github", server.url).versions(id)
    assert server.asked == []


def _tags(server: WebServer, names: list[str], commit: str = "c" * 40) -> None:
    rows = [
        {"name": name, "zipball_url": f"{server.url}/repos/acme/web/zipball/{name}", "commit": {"sha": commit}}
        for name in names
    ]

    def page(handler: BaseHTTPRequestHandler) -> None:
        number = int(parse_qs(urlsplit(handler.path).query).get("page", ["1"])[0]) - 1
        reply(200, {}, json.dumps(rows[number * 100 : number * 100 + 100]).encode())(handler)

    server.special["/repos/acme/web/tags"] = page


def _release(server: WebServer, tag: str, assets: list[str], **more: object) -> None:
    """A release whose assets hold their own names."""
    rows = []
    for number, name in enumerate(assets, start=1):
        digest = f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"
        rows.append({"id": number, "name": name, "size": len(name), "state": "uploaded", "digest": digest, **more})
        server.files[f"/repos/acme/web/releases/assets/{number}"] = name.encode()
    server.files[f"/repos/acme/web/releases/tags/{tag}"] = json.dumps({"tag_name": tag, "assets": rows}).encode()


def _acquire(tmp_path: Path, feed: Feed, version: str) -> AcquiredPackage:
    reference = PackageReference(id="acme/web", version=version)
    cache = PackageCache(tmp_path / "cache")
    (package,) = acquire([reference], {"built-in": feed}, cache, lambda _: lambda *_: None)
    return package
