"""References to container images: found and pinned in a real registry, and in ones that do not behave."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import msgspec
import pytest

from agent.errors import InputError, PackageError
from agent.packages import (
    PackageCache,
    PackageReference,
    acquire,
    acquire_all,
    package_variables,
    resolve_image,
)
from agent.packages.feeds import Feed
from tests.packages.archive_making import Member, zip_bytes
from tests.packages.conftest import OpenFeed
from tests.packages.web_server import WebServer, reply

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DIGEST = f"sha256:{'5' * 64}"


def test_the_newest_tag_of_a_range_is_pinned_to_its_digest(
    registry: str, unique_name: Callable[[str], str], opened: OpenFeed
) -> None:
    name = unique_name("image")
    digests = {tag: _push(registry, name, tag) for tag in ("1.2.0", "1.10.0", "1.11.0-rc.1", "2.0.0", "latest")}
    image = resolve_image(
        _reference(name, "[1.2,2.0)"), {"hub": opened("docker", f"http://{registry}", insecure=True)}
    )
    assert (image.version, image.digest) == ("1.10.0", digests["1.10.0"])
    assert str(image.reference) == f"{registry}/{name}:1.10.0"
    assert str(image.pinned) == f"{registry}/{name}@{digests['1.10.0']}"


def test_one_tag_is_looked_up_without_a_list(server: WebServer, opened: OpenFeed) -> None:
    _serve(server, "acme/web", "1.0-alpine")
    image = resolve_image(_reference("acme/web", "1.0-alpine"), _hub(server, opened))
    assert image.digest == DIGEST
    assert not any("tags/list" in path for path in server.paths())


def test_latest_is_the_tag_and_a_star_the_highest_release(server: WebServer, opened: OpenFeed) -> None:
    for tag in ("latest", "1.9", "1.10"):
        _serve(server, "acme/web", tag)
    server.files["/v2/acme/web/tags/list"] = b'{"tags": ["latest", "1.9", "1.10", "nightly"]}'
    feeds = _hub(server, opened)
    assert resolve_image(_reference("acme/web", "latest"), feeds).reference.tag == "latest"
    assert resolve_image(_reference("acme/web", "*"), feeds).reference.tag == "1.10"
    assert resolve_image(_reference("acme/web", ""), feeds).reference.tag == "1.10"


def test_packages_and_images_are_resolved_together_and_no_image_is_downloaded(
    tmp_path: Path, server: WebServer, opened: OpenFeed
) -> None:
    _serve(server, "acme/web", "1.4.0")
    server.files["/Tools.3.1.zip"] = zip_bytes([Member(name="a", data=b"a")])
    feeds = {**_hub(server, opened), "files": opened("http", f"{server.url}/{{id}}.{{version}}.zip")}
    wanted = [_reference("acme/web", "1.4.0"), PackageReference(id="Tools", version="3.1", feed="files")]
    acquired = acquire_all(wanted, feeds, PackageCache(tmp_path / "cache"), lambda _: lambda *_: None)
    assert [package.id for package in acquired.packages] == ["Tools"]
    assert [image.digest for image in acquired.images] == [DIGEST]
    assert not any("blobs" in path for path in server.paths())


def test_everything_that_is_missing_is_told_at_once(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    feeds = _hub(server, opened)
    wanted = [_reference("acme/web", "1.0"), _reference("acme/db", "[2,3)")]
    with pytest.raises(PackageError, match=r"2 packages cannot be had: .*acme/web 1\.0.*acme/db \[2,3\)"):
        acquire_all(wanted, feeds, PackageCache(tmp_path / "cache"), lambda _: lambda *_: None)


def test_variables_of_images_are_named_as_the_server_names_them(server: WebServer, opened: OpenFeed) -> None:
    _serve(server, "team/acme/web", "1.4.0")
    feed = opened("docker", f"http://127.0.0.1:{server.port}/team", insecure=True, username="me", password="hush")
    image = resolve_image(_reference("acme/web", "1.4.0", name="web"), {"hub": feed})
    found = {variable.name: variable for variable in package_variables([], {}, [image])}
    host = f"127.0.0.1:{server.port}"
    assert {name.removeprefix("Octopus.Action.Package[web]."): v.value for name, v in found.items()} == {
        "PackageId": "acme/web",
        "PackageVersion": "1.4.0",
        "FeedId": "hub",
        "OriginalPath": "",
        "Extract": "False",
        "Purpose": "DockerImageReference",
        "Image": f"{host}/team/acme/web:1.4.0",
        "Registry": host,
        "Version": "1.4.0",
        "Digest": DIGEST,
        "Feed.UserName": "me",
        "Feed.Password": "hush",
    }
    assert [name for name, variable in found.items() if variable.sensitive] == [
        "Octopus.Action.Package[web].Feed.Password"
    ]
    assert "hush" not in repr(image) + repr(found)


def test_an_image_is_no_package_and_a_package_no_image(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    _serve(server, "acme/web", "1.4.0")
    server.files["/Tools.3.1.zip"] = b"zip"
    feeds = {**_hub(server, opened), "files": opened("http", f"{server.url}/{{id}}.{{version}}.zip")}
    with pytest.raises(PackageError, match="is a container image; a package with files is needed"):
        acquire([_reference("acme/web", "1.4.0")], feeds, PackageCache(tmp_path), lambda _: lambda *_: None)
    with pytest.raises(PackageError, match="is a package with files; a container image is needed"):
        resolve_image(PackageReference(id="Tools", version="3.1", feed="files"), feeds)


@pytest.mark.parametrize(
    ("more", "message"),
    [({"extract-to": "app"}, "takes no extract-to"), ({"sha256": "6" * 64}, "is asked for; it is not used")],
)
def test_what_an_image_cannot_be_is_told(
    server: WebServer, opened: OpenFeed, more: dict[str, str], message: str
) -> None:
    _serve(server, "acme/web", "1.4.0")
    with pytest.raises(PackageError, match=message):
        resolve_image(_reference("acme/web", "1.4.0", **more), _hub(server, opened))


def test_a_pinned_digest_that_fits_is_taken(server: WebServer, opened: OpenFeed) -> None:
    _serve(server, "acme/web", "1.4.0")
    reference = _reference("acme/web", "1.4.0", sha256=DIGEST.removeprefix("sha256:"))
    assert resolve_image(reference, _hub(server, opened)).digest == DIGEST


@pytest.mark.parametrize("id", ["../x", "UPPER", "a:b", "a@b", "a b", "", "a/../b", "wéb", "x" * 300])
def test_what_is_no_repository_is_refused(opened: OpenFeed, id: str) -> None:  # noqa: A002
    with pytest.raises(PackageError, match="is no repository"):
        opened("docker", "https://127.0.0.1:1").versions(id)


@pytest.mark.parametrize(
    "uri", ["https://", "ftp://x.test", "https://me:pw@x.test", "http://x.test", "https://x.test:99999", "x", "a b"]
)
def test_what_is_no_registry_is_refused(opened: OpenFeed, uri: str) -> None:
    with pytest.raises(PackageError, match="feed 'test'"):
        opened("docker", uri).versions("web")


@pytest.mark.parametrize("digest", ["", "sha256:12", "md5:" + "0" * 32])
def test_a_registry_that_gives_a_wrong_digest_is_refused(server: WebServer, opened: OpenFeed, digest: str) -> None:
    _serve(server, "acme/web", "1.4.0", digest or "x")
    with pytest.raises(PackageError, match=r"feed 'test': .*wrong digest"):
        resolve_image(_reference("acme/web", "1.4.0"), _hub(server, opened))


def test_a_plain_reference_is_pinned_too(registry: str, unique_name: Callable[[str], str]) -> None:
    name = unique_name("image")
    digest = _push(registry, name, "1.0")
    assert resolve_image(f"{registry}/{name}:1.0", {}).digest == digest
    assert resolve_image(f"{registry}/{name}@{digest}", {}).digest == digest
    with pytest.raises(PackageError, match="is not in its registry"):
        resolve_image(f"{registry}/{name}:2.0", {})
    with pytest.raises(InputError, match="no image reference"):
        resolve_image("-v /:/", {})


def test_docker_hub_is_written_as_the_server_writes_it(opened: OpenFeed) -> None:
    feed = opened("docker", "https://index.docker.io")
    assert feed.location == "docker://index.docker.io"


def _reference(id: str, version: str, **more: str) -> PackageReference:  # noqa: A002
    return msgspec.convert({"id": id, "version": version, "feed": "hub", **more}, PackageReference)


def _hub(server: WebServer, opened: OpenFeed) -> dict[str, Feed]:
    return {"hub": opened("docker", f"https://127.0.0.1:{server.port}")}


def _serve(server: WebServer, repository: str, tag: str, digest: str = DIGEST) -> None:
    server.special["/v2/"] = reply(200, {"Docker-Distribution-Api-Version": "registry/2.0"}, b"{}")
    headers = {"Content-Type": MANIFEST, "Docker-Content-Digest": digest}
    server.special[f"/v2/{repository}/manifests/{tag}"] = reply(200, headers, b"{}")


def _push(registry: str, repository: str, tag: str) -> str:
    """An image without layers, whose config tells its tag."""
    connection = HTTPConnection(registry, timeout=10)
    config = json.dumps({"architecture": "amd64", "os": "linux", "author": tag}).encode()
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    connection.request("POST", f"/v2/{repository}/blobs/uploads/", headers={"Content-Length": "0"})
    answer = connection.getresponse()
    answer.read()
    location = answer.headers["Location"].removeprefix(f"http://{registry}")
    connection.request("PUT", f"{location}{'&' if '?' in location else '?'}digest={digest}", config)
    connection.getresponse().read()
    described = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(config)}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": []}).encode()
    connection.request("PUT", f"/v2/{repository}/manifests/{tag}", manifest, {"Content-Type": MANIFEST})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 201
    connection.close()
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"
