"""A Maven repository in files, laid out as real ones lay them out."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from agent.errors import PackageError
from agent.packages import PackageCache, PackageReference, acquire
from agent.packages.acquire import AcquiredPackage
from agent.packages.feeds import Feed
from tests.packages.conftest import OpenFeed
from tests.packages.web_server import WebServer

FOLDER = "/maven2/com/acme/web"


def test_the_highest_version_in_a_range_comes_in_the_packaging_that_is_there(
    tmp_path: Path, server: WebServer, opened: OpenFeed
) -> None:
    _metadata(server, "1.0", "1.5", "2.0")
    _artifact(server, "1.5", "web-1.5.war", b"war")
    package = _acquire(tmp_path, _feed(server, opened), "com.acme:web", "[1.0,2.0)")
    assert (package.version.text, package.extension, package.path.read_bytes()) == ("1.5", ".war", b"war")
    assert package.reference.name == "com.acme.web"
    assert server.paths("HEAD") == [f"{FOLDER}/1.5/web-1.5.{kind}" for kind in ("jar", "war")]


def test_packaging_and_classifier_are_taken_from_the_id(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    _metadata(server, "1.0")
    _artifact(server, "1.0", "web-1.0.jar", b"jar")
    _artifact(server, "1.0", "web-1.0-dist.tar.gz", b"dist")
    package = _acquire(tmp_path, _feed(server, opened), "com.acme:web:tar.gz:dist", "1.0")
    assert (package.extension, package.path.read_bytes()) == (".tar.gz", b"dist")


def test_a_version_that_is_not_listed_is_found_by_its_file(
    tmp_path: Path, server: WebServer, opened: OpenFeed
) -> None:
    _artifact(server, "3.0", "web-3.0.jar", b"jar")
    assert _acquire(tmp_path, _feed(server, opened), "com.acme:web", "3.0").path.read_bytes() == b"jar"


def test_a_snapshot_is_its_latest_build_and_fetched_again_when_there_is_a_newer(
    tmp_path: Path, server: WebServer, opened: OpenFeed
) -> None:
    feed = _feed(server, opened)
    _metadata(server, "1.0-SNAPSHOT")
    for build in ("20240131.120000-1", "20240201.080000-2"):
        _snapshot(server, build)
        _artifact(server, "1.0-SNAPSHOT", f"web-1.0-{build}.jar", build.encode())
        package = _acquire(tmp_path, feed, "com.acme:web:jar", "1.0-SNAPSHOT")
        assert package.path.read_bytes() == build.encode()
    server.asked.clear()
    _acquire(tmp_path, feed, "com.acme:web:jar", "1.0-SNAPSHOT")
    assert not [path for path in server.paths() if path.endswith(".jar")]


def test_a_snapshot_with_old_metadata_is_found_by_time_and_number(
    tmp_path: Path, server: WebServer, opened: OpenFeed
) -> None:
    _metadata(server, "1.0-SNAPSHOT")
    server.files[f"{FOLDER}/1.0-SNAPSHOT/maven-metadata.xml"] = (
        b"<metadata><versioning><snapshot><timestamp>20240131.120000</timestamp><buildNumber>7</buildNumber>"
        b"</snapshot></versioning></metadata>"
    )
    _artifact(server, "1.0-SNAPSHOT", "web-1.0-20240131.120000-7.jar", b"seven")
    assert _acquire(tmp_path, _feed(server, opened), "com.acme:web", "1.0-SNAPSHOT").path.read_bytes() == b"seven"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_content_is_held_against_the_hash_beside_it(
    tmp_path: Path, server: WebServer, opened: OpenFeed, algorithm: str
) -> None:
    _metadata(server, "1.0")
    server.files[f"{FOLDER}/1.0/web-1.0.jar"] = b"jar"
    right = hashlib.new(algorithm, b"jar").hexdigest()
    server.files[f"{FOLDER}/1.0/web-1.0.jar.{algorithm}"] = f"{right}  web-1.0.jar\n".encode()
    _acquire(tmp_path, _feed(server, opened), "com.acme:web", "1.0")
    server.files[f"{FOLDER}/1.0/web-1.0.jar.{algorithm}"] = b"0" * len(right)
    with pytest.raises(PackageError, match=f"has {algorithm} .*it is damaged or not"):
        _acquire(tmp_path / "other", _feed(server, opened), "com.acme:web", "1.0")


@pytest.mark.parametrize(
    "id",
    [
        *(
            "web",
            "com.acme:",
            ":web",
            "com.acme:web:jar:x:y",
            "com/acme:web",
            "..:web",
            "com..acme:web",
            "com.acme:..",
        ),
        *("com.acme:web:exe", "com.acme:web:../jar", "com.acme:web:jar:../../x", "com.acme:we b", "com.acme:wéb"),
        *("a:" + "b" * 300, "com.acme:web\n", "com%2Facme:web", "com.acme:web?x", "-a:b", ".a:b"),
    ],
)
def test_what_is_no_maven_id_is_refused_before_anything_is_asked(
    tmp_path: Path,
    server: WebServer,
    opened: OpenFeed,
    id: str,  # noqa: A002
) -> None:
    with pytest.raises(PackageError, match=r"is not a Maven id|has the packaging|not a folder"):
        _acquire(tmp_path, _feed(server, opened), id, "1.0")
    assert server.asked == []


@pytest.mark.parametrize("version", ["../../secret", "1.0/../..", "1.0%2f..", "1..0", "1.0?x", "1.0#x"])
def test_versions_that_lead_elsewhere_are_never_asked_for(
    tmp_path: Path, server: WebServer, opened: OpenFeed, version: str
) -> None:
    _metadata(server, version.replace("&", "&amp;"))
    with pytest.raises(PackageError):
        _acquire(tmp_path, _feed(server, opened), "com.acme:web", version)
    assert server.paths("HEAD") == []


def test_nothing_there_says_what_was_tried(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    with pytest.raises(
        PackageError, match=r"has no file for com\.acme:web 1\.0 \(tried jar, war, .*group:artifact:pack"
    ):
        _acquire(tmp_path, _feed(server, opened), "com.acme:web", "1.0")
    with pytest.raises(PackageError, match="nor is any other version"):
        _acquire(tmp_path, _feed(server, opened), "com.acme:web", "[1.0,2.0)")


def _feed(server: WebServer, opened: OpenFeed) -> Feed:
    return opened("maven", f"{server.url}/maven2")


def _metadata(server: WebServer, *versions: str) -> None:
    listed = "".join(f"<version>{version}</version>" for version in versions)
    server.files[f"{FOLDER}/maven-metadata.xml"] = (
        f"<?xml version='1.0'?><metadata><versioning><versions>{listed}</versions></versioning></metadata>".encode()
    )


def _snapshot(server: WebServer, build: str) -> None:
    rows = "".join(
        f"<snapshotVersion><classifier>{classifier}</classifier><extension>{extension}</extension>"
        f"<value>1.0-{build}{suffix}</value></snapshotVersion>"
        for classifier, extension, suffix in (("sources", "jar", "-wrong"), ("", "jar", ""), ("", "pom", "-wrong"))
    )
    server.files[f"{FOLDER}/1.0-SNAPSHOT/maven-metadata.xml"] = (
        f"<metadata><versioning><snapshotVersions>{rows}</snapshotVersions></versioning></metadata>".encode()
    )


def _artifact(server: WebServer, version: str, name: str, content: bytes) -> None:
    server.files[f"{FOLDER}/{version}/{name}"] = content
    server.files[f"{FOLDER}/{version}/{name}.sha1"] = hashlib.sha1(content).hexdigest().encode()


def _acquire(tmp_path: Path, feed: Feed, id: str, version: str) -> AcquiredPackage:  # noqa: A002
    reference = PackageReference(id=id, version=version)
    cache = PackageCache(tmp_path / "cache")
    (package,) = acquire([reference], {"built-in": feed}, cache, lambda _: lambda *_: None)
    return package
