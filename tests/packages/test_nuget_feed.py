"""NuGet feeds, version 3 laid out in files as real ones lay them out, and version 2."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from base64 import b64encode
from pathlib import Path

import pytest

from agent.errors import PackageError
from agent.packages import PackageCache, PackageReference, acquire, extract
from agent.packages.acquire import AcquiredPackage
from agent.packages.feeds import Feed
from tests.packages.conftest import OpenFeed
from tests.packages.web_server import WebServer

VERSIONS = ("1.0.0", "1.2.0", "1.3.0-beta.1", "2.0.0+build.5")


def test_the_highest_version_in_a_range_is_fetched_and_verified(
    tmp_path: Path, server: WebServer, opened: OpenFeed
) -> None:
    feed = _v3(server, opened)
    package = _acquire(tmp_path, feed, "[1.0,2.0)")
    assert (str(package.version), package.extension) == ("1.2.0", ".nupkg")
    extract(package, tmp_path / "tree")
    assert (tmp_path / "tree/lib/app.dll").read_bytes() == b"dll"
    assert not list((tmp_path / "tree").rglob("*.nuspec"))


def test_metadata_of_a_version_is_no_part_of_its_address(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    package = _acquire(tmp_path, _v3(server, opened), "latest")
    assert package.version.text == "2.0.0+build.5"
    assert "/flat/my.app/2.0.0/my.app.2.0.0.nupkg" in server.paths()


def test_a_second_run_downloads_nothing(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    feed = _v3(server, opened)
    for _ in range(2):
        _acquire(tmp_path, feed, "1.2.0")
    assert len([path for path in server.paths() if path.endswith(".nupkg")]) == 1


def test_the_service_index_is_read_once(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    feed = _v3(server, opened)
    for version in VERSIONS[:3]:
        _acquire(tmp_path, feed, version)
    assert server.paths().count("/v3/index.json") == 1


def test_an_unknown_id_and_an_unknown_version_are_told(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    feed = _v3(server, opened)
    with pytest.raises(PackageError, match=r"it has 2\.0\.0\+build\.5, 1\.3\.0-beta\.1, 1\.2\.0, 1\.0\.0"):
        _acquire(tmp_path, feed, "7.0")
    with pytest.raises(PackageError, match="nor is any other version"):
        _acquire(tmp_path, feed, "1.0", id="Nobody")


def test_content_that_the_catalog_does_not_know_is_refused(
    tmp_path: Path, server: WebServer, opened: OpenFeed
) -> None:
    feed = _v3(server, opened)
    path = "/flat/my.app/1.2.0/my.app.1.2.0.nupkg"
    server.files[path] = server.files[path][:-1] + b"\1"
    with pytest.raises(PackageError, match=r"has sha512 .*, the feed says .*; it is damaged"):
        _acquire(tmp_path, feed, "1.2.0")
    assert not list((tmp_path / "cache").rglob("*.nupkg"))
    assert not list((tmp_path / "cache/incoming").iterdir())


@pytest.mark.parametrize(("id", "version"), [("My.App", "9.9.9"), ("Other", "1.0.0")])
def test_a_package_that_is_another_inside_is_refused(
    tmp_path: Path,
    server: WebServer,
    opened: OpenFeed,
    id: str,  # noqa: A002
    version: str,
) -> None:
    feed = _v3(server, opened, catalog=False)
    server.files["/flat/my.app/1.0.0/my.app.1.0.0.nupkg"] = _nupkg(id, version)
    with pytest.raises(PackageError, match=rf"sent for My.App 1.0.0 the package '{id}' '{version}'; it is not used"):
        _acquire(tmp_path, feed, "1.0.0")


@pytest.mark.parametrize("content", [b"<html>Sign in</html>", b"PK\5\6" + bytes(18), b""])
def test_what_is_no_package_is_refused(tmp_path: Path, server: WebServer, opened: OpenFeed, content: bytes) -> None:
    feed = _v3(server, opened, catalog=False)
    server.files["/flat/my.app/1.0.0/my.app.1.0.0.nupkg"] = content
    with pytest.raises(PackageError, match="what is no NuGet package"):
        _acquire(tmp_path, feed, "1.0.0")


@pytest.mark.parametrize(
    "index", [b"<html>", b"[]", b'{"resources": 5}', b'{"resources": [{"@id": 1}]}', b"[" * 100_000, b'{"a": "\xff"}']
)
def test_an_index_that_is_none_is_told(tmp_path: Path, server: WebServer, opened: OpenFeed, index: bytes) -> None:
    server.files["/v3/index.json"] = index
    with pytest.raises(PackageError, match=r"is not what such a feed answers .*; check its uri"):
        _acquire(tmp_path, opened("nuget", f"{server.url}/v3/index.json"), "1.0")


def test_no_index_and_no_place_for_packages_are_told(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    with pytest.raises(PackageError, match="there is no service index"):
        _acquire(tmp_path, opened("nuget", f"{server.url}/none.json"), "1.0")
    server.files["/v3/index.json"] = b'{"resources": []}'
    with pytest.raises(PackageError, match="names no PackageBaseAddress"):
        _acquire(tmp_path, opened("nuget", f"{server.url}/v3/index.json"), "1.0")


def test_version_2_is_read_page_by_page(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    server.special.clear()
    pages = [("1.0.0", "1.2.0"), ("2.0.0",)]
    query = "/api/v2/FindPackagesById()?id='My.App'&semVerLevel=2.0.0"
    server.files[query] = _atom(server, pages[0], f"{server.url}/api/v2/next?page=2")
    server.files["/api/v2/next?page=2"] = _atom(server, pages[1])
    for version in ("1.0.0", "1.2.0", "2.0.0"):
        server.files[f"/api/v2/package/My.App/{version}"] = _nupkg("My.App", version)
    package = _acquire(tmp_path, opened("nuget", f"{server.url}/api/v2"), "latest")
    assert package.version.text == "2.0.0"


@pytest.mark.parametrize(
    "page", [b"not xml", b'<!DOCTYPE a [<!ENTITY x "y">]><feed>&x;</feed>', b"<a>" * 100 + b"</a>" * 100]
)
def test_version_2_pages_that_are_traps_are_told(
    tmp_path: Path, server: WebServer, opened: OpenFeed, page: bytes
) -> None:
    server.files["/api/v2/FindPackagesById()"] = page
    with pytest.raises(PackageError, match="is not what such a feed answers"):
        _acquire(tmp_path, opened("nuget", f"{server.url}/api/v2/"), "latest")


def _v3(server: WebServer, opened: OpenFeed, *, catalog: bool = True) -> Feed:
    resources = [
        {"@id": f"{server.url}/flat/", "@type": "PackageBaseAddress/3.0.0"},
        {"@id": f"{server.url}/old/", "@type": "RegistrationsBaseUrl"},
        {"@id": f"{server.url}/search", "@type": ["SearchQueryService", "SearchQueryService/3.0.0-rc"]},
    ]
    if catalog:
        resources.append({"@id": f"{server.url}/reg", "@type": ["RegistrationsBaseUrl/3.6.0"]})
    server.files["/v3/index.json"] = _json({"version": "3.0.0", "resources": resources})
    server.files["/flat/my.app/index.json"] = _json({"versions": [*VERSIONS, "not a version", "../../../etc"]})
    for version in VERSIONS:
        plain = version.partition("+")[0]
        content = _nupkg("My.App", version)
        server.files[f"/flat/my.app/{plain}/my.app.{plain}.nupkg"] = content
        entry = f"{server.url}/catalog/data/my.app.{plain}.json"
        server.files[f"/reg/my.app/{plain}.json"] = _json({"catalogEntry": entry, "listed": True})
        server.files[f"/catalog/data/my.app.{plain}.json"] = _json(
            {
                "packageHash": b64encode(hashlib.sha512(content).digest()).decode(),
                "packageHashAlgorithm": "SHA512",
                "packageSize": len(content),
            }
        )
    return opened("nuget", f"{server.url}/v3/index.json")


def _atom(server: WebServer, versions: tuple[str, ...], following: str = "") -> bytes:
    entries = "".join(
        f"<entry><content type='application/zip' src='{server.url}/api/v2/package/My.App/{version}'/>"
        f"<m:properties><d:Version>{version}</d:Version><d:PackageHashAlgorithm>SHA512</d:PackageHashAlgorithm>"
        f"<d:PackageHash>{b64encode(hashlib.sha512(_nupkg('My.App', version)).digest()).decode()}</d:PackageHash>"
        f"<d:PackageSize>{len(_nupkg('My.App', version))}</d:PackageSize></m:properties></entry>"
        for version in versions
    )
    link = f"<link rel='next' href='{following}'/>" if following else ""
    spaces = (
        "xmlns='http://www.w3.org/2005/Atom' xmlns:d='http://schemas.microsoft.com/ado/2007/08/dataservices' "
        "xmlns:m='http://schemas.microsoft.com/ado/2007/08/dataservices/metadata'"
    )
    return f"<?xml version='1.0'?><feed {spaces}>{entries}{link}</feed>".encode()


def _nupkg(id: str, version: str) -> bytes:  # noqa: A002
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        nuspec = (
            f"<?xml version='1.0'?><package><metadata><id>{id}</id><version>{version}</version></metadata></package>"
        )
        for name, data in ((f"{id}.nuspec", nuspec), ("lib/app.dll", "dll"), ("[Content_Types].xml", "<Types/>")):
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _acquire(tmp_path: Path, feed: Feed, version: str, id: str = "My.App") -> AcquiredPackage:  # noqa: A002
    reference = PackageReference(id=id, version=version)
    (package,) = acquire([reference], {"built-in": feed}, PackageCache(tmp_path / "cache"), lambda _: lambda *_: None)
    return package


def test_a_feed_that_lists_without_end_is_left(server: WebServer, opened: OpenFeed) -> None:
    feed = _v3(server, opened)
    server.files["/flat/my.app/index.json"] = _json({"versions": [f"1.0.{number}" for number in range(50_001)]})
    with pytest.raises(PackageError, match="lists more than 50,000 versions"):
        feed.versions("My.App")
