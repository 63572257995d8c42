from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import PackageError
from agent.packages import FeedSettings, PackageCache, PackageReference, acquire, open_feed
from agent.packages.feeds import Feed
from tests.packages.conftest import OpenFeed
from tests.packages.web_server import WebServer

CONTENT = b"zip" * 1000


def test_a_file_is_found_by_its_template(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    server.files["/files/My.App/My.App-1.2.0.tar.gz"] = CONTENT
    feed = opened("http", f"{server.url}/files/{{id}}/{{id}}-{{version}}.tar.gz")
    (package,) = _acquire(tmp_path, feed, "1.2.0")
    assert package.path.read_bytes() == CONTENT
    assert package.extension == ".tar.gz"


def test_a_second_run_downloads_nothing_until_the_file_changes(
    tmp_path: Path, server: WebServer, opened: OpenFeed
) -> None:
    server.files["/My.App.1.2.0.zip"] = CONTENT
    feed = opened("http", f"{server.url}/{{id}}.{{version}}.zip")
    _acquire(tmp_path, feed, "1.2.0")
    _acquire(tmp_path, feed, "[1.2.0]")
    assert len(server.paths("GET")) == 1
    server.files["/My.App.1.2.0.zip"] = CONTENT + b"!"
    (package,) = _acquire(tmp_path, feed, "1.2.0")
    assert package.path.read_bytes() == CONTENT + b"!"


def test_other_content_than_the_one_pinned_is_refused(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    server.files["/My.App.1.2.0.zip"] = CONTENT
    feed = opened("http", f"{server.url}/{{id}}.{{version}}.zip")
    with pytest.raises(PackageError, match=r"f{64} is asked for; it is not used"):
        _acquire(tmp_path, feed, "1.2.0", sha256="f" * 64)


@pytest.mark.parametrize("version", ["*", "[1,2)", "latest", "1.*"])
def test_a_range_cannot_be_asked_for(tmp_path: Path, server: WebServer, opened: OpenFeed, version: str) -> None:
    feed = opened("http", f"{server.url}/{{id}}.{{version}}.zip")
    with pytest.raises(PackageError, match=r"cannot list versions; name one, as 1\.2\.0"):
        _acquire(tmp_path, feed, version)
    assert server.asked == []


def test_what_follows_the_question_mark_is_sent_and_never_shown(
    tmp_path: Path, server: WebServer, opened: OpenFeed
) -> None:
    server.files["/App.zip?v=1.0&sig=SECRET"] = CONTENT
    feed = opened("http", f"{server.url}/App.zip?v={{version}}&sig=SECRET")
    assert _acquire(tmp_path, feed, "1.0")[0].path.read_bytes() == CONTENT
    with pytest.raises(PackageError) as caught:
        _acquire(tmp_path, feed, "2.0")
    assert "SECRET" not in str(caught.value) + feed.location


def test_a_file_that_is_not_there_is_told(tmp_path: Path, server: WebServer, opened: OpenFeed) -> None:
    feed = opened("http", f"{server.url}/{{id}}.{{version}}.zip")
    with pytest.raises(PackageError, match=r"My\.App 3\.0 is not there: .*/My\.App\.3\.0\.zip has nothing"):
        _acquire(tmp_path, feed, "3.0")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("https://x.test/{id}.zip", "must hold {version}"),
        ("https://x.test/{id}.{version}", "end in a package's extension"),
        ("ftp://x.test/{id}.{version}.zip", "is not an address"),
        ("https://user:word@x.test/{id}.{version}.zip", "holds a user; give username and password by themselves"),
        ("http://x.test/{id}.{version}.zip", "is plain http; use https, or set insecure"),
    ],
)
def test_an_address_that_is_none_is_told_at_once(tmp_path: Path, uri: str, message: str) -> None:
    with pytest.raises(PackageError, match=message) as caught:
        open_feed("files", FeedSettings(type="http", uri=uri), tmp_path)
    assert "word" not in str(caught.value).replace("password", "")


def _acquire(tmp_path: Path, feed: Feed, version: str, sha256: str = ""):  # type: ignore[no-untyped-def]
    reference = PackageReference(id="My.App", version=version, sha256=sha256)
    return acquire([reference], {"built-in": feed}, PackageCache(tmp_path / "cache"), lambda _: lambda *_: None)
