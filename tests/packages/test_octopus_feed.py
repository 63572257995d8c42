from __future__ import annotations

import hashlib
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from agent.errors import PackageError
from agent.packages import PackageCache, PackageReference, acquire
from agent.packages.acquire import AcquiredPackage
from agent.packages.feeds import Feed
from tests.packages.conftest import OpenFeed
from tests.packages.web_server import WebServer, reply

KEY = "API-SECRET"
CONTENT = b"package" * 100


@pytest.mark.parametrize("suffix", ["", "/", "/api", "/api/Spaces-1"])
def test_packages_are_found_and_fetched_with_the_key(
    tmp_path: Path, server: WebServer, opened: OpenFeed, suffix: str
) -> None:
    root = "/api/Spaces-1" if "Spaces" in suffix else "/api"
    _serve(server, root, [_resource(f"1.{n}.0") for n in range(250)])
    server.files[f"{root}/packages/packages-My.App.1.249.0/raw"] = CONTENT
    package = _acquire(tmp_path, opened("octopus", server.url + suffix, api_key=KEY), "1.*")
    assert (package.id, package.version.text, package.extension) == ("My.App", "1.249.0", ".zip")
    assert package.path.read_bytes() == CONTENT
    assert {asked.headers["x-octopus-apikey"] for asked in server.asked} == {KEY}
    assert len(server.asked) == 4


def test_other_packages_that_the_search_finds_are_left(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    _serve(server, "/api", [_resource("9.0.0", "My.App.Tests"), _resource("1.0.0")])
    server.files["/api/packages/packages-My.App.1.0.0/raw"] = CONTENT
    assert _acquire(tmp_path, opened("octopus", server.url, api_key=KEY), "*").version.text == "1.0.0"


def test_content_with_another_sha1_is_refused(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    _serve(server, "/api", [_resource("1.0.0")])
    server.files["/api/packages/packages-My.App.1.0.0/raw"] = CONTENT[::-1]
    with pytest.raises(PackageError, match=r"has sha1 .*, the feed says"):
        _acquire(tmp_path, opened("octopus", server.url, api_key=KEY), "1.0.0")


@pytest.mark.parametrize(
    ("status", "message"), [(401, "refuses the credentials given"), (404, "is no Octopus server's API")]
)
def test_refusals_are_told_without_the_key(
    tmp_path: Path, server: WebServer, opened: OpenFeed, status: int, message: str
) -> None:
    server.everything = reply(status)
    with pytest.raises(PackageError, match=message) as caught:
        _acquire(tmp_path, opened("octopus", server.url, api_key=KEY), "1.0.0")
    assert KEY not in str(caught.value)


def _resource(version: str, id: str = "My.App") -> dict[str, object]:  # noqa: A002
    return {
        "PackageId": id,
        "Version": version,
        "FileExtension": ".zip",
        "Hash": hashlib.sha1(CONTENT).hexdigest(),
        "PackageSizeBytes": len(CONTENT),
        "Links": {"Raw": "https://elsewhere.test/raw"},
    }


def _serve(server: WebServer, root: str, resources: list[dict[str, object]]) -> None:
    def search(handler: BaseHTTPRequestHandler) -> None:
        query = parse_qs(urlsplit(handler.path).query)
        skip, take = int(query["skip"][0]), int(query["take"][0])
        page = {"Items": resources[skip : skip + take], "TotalResults": len(resources), "ItemsPerPage": take}
        reply(200, {}, json.dumps(page).encode())(handler)

    server.special[f"{root}/packages"] = search


def _acquire(tmp_path: Path, feed: Feed, version: str) -> AcquiredPackage:
    reference = PackageReference(id="my.app", version=version)
    cache = PackageCache(tmp_path / "cache")
    (package,) = acquire([reference], {"built-in": feed}, cache, lambda _: lambda *_: None)
    return package
