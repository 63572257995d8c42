"""OCI artifacts in a real registry, and in one that lies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import pytest

from agent.errors import PackageError
from agent.packages import PackageCache, PackageReference, acquire
from agent.packages.acquire import AcquiredPackage
from agent.packages.feeds import Feed
from tests.packages.conftest import OpenFeed
from tests.packages.web_server import WebServer, reply

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.acme.package"


def test_the_first_layer_is_the_package(
    tmp_path: Path, registry: str, unique_name: Callable[[str], str], opened: OpenFeed
) -> None:
    name = unique_name("artifact")
    for version in ("1.0.0", "1.2.0_build.7", "latest"):
        _push(registry, name, version, f"content of {version}".encode(), "Web.zip")
    package = _acquire(tmp_path, opened("oci", f"oci://{registry}"), name, "[1.0,2.0)")
    assert (package.version.text, package.extension) == ("1.2.0+build.7", ".zip")
    assert package.path.read_bytes() == b"content of 1.2.0_build.7"


def test_a_tag_that_was_moved_leads_to_the_new_content(
    tmp_path: Path, registry: str, unique_name: Callable[[str], str], opened: OpenFeed
) -> None:
    name = unique_name("artifact")
    feed = opened("oci", f"oci://{registry}/{name}")
    for content in (b"one", b"two"):
        _push(registry, f"{name}/web", "1.0.0", content, "web.tar.gz")
        package = _acquire(tmp_path, feed, "web", "1.0.0")
        assert (package.path.read_bytes(), package.extension) == (content, ".tar.gz")


def test_what_is_not_there_is_told(tmp_path: Path, registry: str, opened: OpenFeed) -> None:
    with pytest.raises(PackageError, match="nor is any other version"):
        _acquire(tmp_path, opened("oci", f"oci://{registry}"), "nobody/nothing", "1.0")


@pytest.mark.parametrize(
    "id", ["../x", "a//b", "UPPER", "a:b", "a@sha256:" + "0" * 64, "a b", "", "a/../b", "x" * 300]
)
def test_what_is_no_repository_is_refused(opened: OpenFeed, id: str) -> None:  # noqa: A002
    with pytest.raises(PackageError, match="is no repository"):
        opened("oci", "oci://127.0.0.1:1").versions(id)


def test_a_layer_that_is_not_what_its_digest_says_is_refused(
    tmp_path: Path, server: WebServer, opened: OpenFeed
) -> None:
    _fake(server, b"right", "web.zip")
    server.files[f"/v2/web/blobs/sha256:{hashlib.sha256(b'right').hexdigest()}"] = b"wrong"
    with pytest.raises(PackageError, match="sent something else than this digest says"):
        _acquire(tmp_path, opened("oci", f"oci://127.0.0.1:{server.port}"), "web", "1.0.0")
    assert list((tmp_path / "cache/incoming").iterdir()) == []


@pytest.mark.parametrize("title", ["", "readme", "web.exe", "../../.zip/x"])
def test_a_layer_without_an_extension_is_told(
    tmp_path: Path, server: WebServer, opened: OpenFeed, title: str
) -> None:
    _fake(server, b"right", title)
    with pytest.raises(PackageError, match="no title that ends in a package's extension"):
        _acquire(tmp_path, opened("oci", f"oci://127.0.0.1:{server.port}"), "web", "1.0.0")


@pytest.mark.parametrize("manifest", [b"{}", b"[]", b"no", b'{"layers": [{"mediaType":"x","digest":"x","size":1}]}'])
def test_what_is_no_artifact_is_told(tmp_path: Path, server: WebServer, opened: OpenFeed, manifest: bytes) -> None:
    _fake(server, b"right", "web.zip")
    server.special["/v2/web/manifests/1.0.0"] = reply(200, {"Content-Type": MANIFEST}, manifest)
    with pytest.raises(PackageError, match=r"feed 'test': .*(is no artifact|not understood)"):
        _acquire(tmp_path, opened("oci", f"oci://127.0.0.1:{server.port}"), "web", "1.0.0")


def test_a_foreign_realm_gets_no_credentials(
    tmp_path: Path, server: WebServer, attacker: WebServer, opened: OpenFeed
) -> None:
    server.everything = reply(401, {"WWW-Authenticate": f'Bearer realm="{attacker.url}/token",service="x"'})
    attacker.everything = reply(200, {}, b'{"token": "t"}')
    feed = opened("oci", f"oci://127.0.0.1:{server.port}", username="me", password="secret", insecure=True)
    with pytest.raises(PackageError, match="not https; it is not asked"):
        _acquire(tmp_path, feed, "web", "1.0.0")
    assert attacker.asked == []


def _fake(server: WebServer, content: bytes, title: str) -> None:
    manifest = json.dumps(_manifest(content, title)).encode()
    server.special["/v2/"] = reply(200, {"Docker-Distribution-Api-Version": "registry/2.0"}, b"{}")
    server.files["/v2/web/tags/list"] = b'{"name": "web", "tags": ["1.0.0"]}'
    server.special["/v2/web/manifests/1.0.0"] = reply(200, {"Content-Type": MANIFEST}, manifest)
    server.files[f"/v2/web/blobs/sha256:{hashlib.sha256(content).hexdigest()}"] = content


def _manifest(content: bytes, title: str) -> dict[str, object]:
    layer = {
        "mediaType": LAYER,
        "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "size": len(content),
        "annotations": {"org.opencontainers.image.title": title},
    }
    config = {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": f"sha256:{hashlib.sha256(b'{}').hexdigest()}",
        "size": 2,
    }
    return {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}


def _push(registry: str, repository: str, tag: str, content: bytes, title: str) -> None:
    """As ORAS pushes a file."""
    connection = HTTPConnection(registry, timeout=10)
    for blob in (content, b"{}"):
        connection.request("POST", f"/v2/{repository}/blobs/uploads/", headers={"Content-Length": "0"})
        answer = connection.getresponse()
        answer.read()
        location = answer.headers["Location"].removeprefix(f"http://{registry}")
        mark = "&" if "?" in location else "?"
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        connection.request("PUT", f"{location}{mark}digest={digest}", blob)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 201
    manifest = json.dumps(_manifest(content, title))
    connection.request("PUT", f"/v2/{repository}/manifests/{tag}", manifest, {"Content-Type": MANIFEST})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 201
    connection.close()


def _acquire(tmp_path: Path, feed: Feed, id: str, version: str) -> AcquiredPackage:  # noqa: A002
    reference = PackageReference(id=id, version=version)
    cache = PackageCache(tmp_path / "cache")
    (package,) = acquire([reference], {"built-in": feed}, cache, lambda _: lambda *_: None)
    return package
