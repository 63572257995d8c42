from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from agent.errors import PackageError
from agent.packages import FeedSettings, open_feed, open_feeds
from agent.packages.feeds import Feed


def test_a_folder_is_read_flat_and_one_level_down(tmp_path: Path) -> None:
    feed = _feed(
        tmp_path, "App.1.0.0.zip", "app/APP.1.1.0.tar.gz", "app/old/App.0.1.0.zip", "Other.1.0.zip", "notes.txt"
    )
    assert sorted(str(package.version) for package in feed.versions("app")) == ["1.0.0", "1.1.0"]
    assert {package.extension for package in feed.versions("App")} == {".zip", ".tar.gz"}
    assert feed.versions("Nothing") == []


def test_folders_named_like_packages_are_no_packages(tmp_path: Path) -> None:
    feed = _feed(tmp_path)
    (feed_folder(tmp_path) / "App.1.0.0.zip").mkdir()
    assert feed.versions("App") == []


def test_a_package_appears_as_soon_as_it_is_there(tmp_path: Path) -> None:
    feed = _feed(tmp_path)
    assert feed.versions("App") == []
    (feed_folder(tmp_path) / "App.1.0.0.zip").write_bytes(b"new")
    assert [str(package.version) for package in feed.versions("App")] == ["1.0.0"]


@pytest.mark.parametrize("mode", [0o644, 0o666])
def test_what_is_fetched_has_the_hash_that_is_told(tmp_path: Path, mode: int) -> None:
    """0644 is linked, 0666, which others may write to, is copied."""
    feed = _feed(tmp_path, "App.1.0.0.zip")
    file = feed_folder(tmp_path) / "App.1.0.0.zip"
    file.write_bytes(b"x" * 3_000_000)
    file.chmod(mode)
    seen: list[tuple[int, int]] = []
    fetched = feed.fetch(feed.versions("App")[0], tmp_path / "got", lambda done, total: seen.append((done, total)))
    assert fetched.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (tmp_path / "got").read_bytes() == file.read_bytes()
    assert (tmp_path / "got").samefile(file) == (mode == 0o644)
    assert seen[-1] == (3_000_000, 3_000_000)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    feed = open_feed("staged", FeedSettings(type="folder", uri="./nowhere"), tmp_path)
    with pytest.raises(PackageError, match=r"feed 'staged': there is no folder .*nowhere; check its uri"):
        feed.versions("App")


def test_similar_ids_are_offered_in_their_own_spelling(tmp_path: Path) -> None:
    assert _feed(tmp_path, "MyWebApp.1.0.0.zip", "Zebra.1.0.zip").similar("mywebap") == ["MyWebApp"]


def test_a_relative_uri_counts_from_the_bundle_and_an_absolute_one_stays(tmp_path: Path) -> None:
    feeds = open_feeds(
        {
            "one": FeedSettings(type="folder", uri="./packages"),
            "two": FeedSettings(type="folder", uri="/srv/share"),
        },
        tmp_path,
    )
    assert [feed.location for feed in feeds.values()] == [str(tmp_path / "packages"), "/srv/share"]


@pytest.mark.parametrize(
    "settings", [{"type": "ftp", "uri": "x"}, {"type": "folder"}, {"type": "folder", "uri": "x", "password": "y"}]
)
def test_settings_take_no_other_type_and_no_other_key(settings: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(settings, FeedSettings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"type": "nuget"}, "a feed of type nuget needs a uri"),
        ({"type": "nuget", "uri": "x", "api-key": "k"}, "takes no api-key; give username and password"),
        ({"type": "maven", "uri": "x", "username": "me"}, "a username and a password go together"),
        ({"type": "folder", "uri": "x", "allow-local": True}, "a folder takes nothing but a uri"),
    ],
)
def test_settings_that_make_no_sense_are_told(settings: dict[str, object], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert(settings, FeedSettings)


def test_settings_survive_their_evaluation_and_show_no_secret() -> None:
    settings = msgspec.convert(
        {"type": "octopus", "uri": "https://x.test", "api-key": "API-1", "insecure": "true"},
        FeedSettings,
        strict=False,
    )
    assert msgspec.convert(msgspec.to_builtins(settings), FeedSettings) == settings
    assert settings.insecure
    assert "API-1" not in repr(settings)


def _feed(tmp_path: Path, *files: str) -> Feed:
    for name in files:
        file = feed_folder(tmp_path) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    feed_folder(tmp_path).mkdir(exist_ok=True)
    return open_feed("built-in", FeedSettings(type="folder", uri="packages"), tmp_path)


def feed_folder(tmp_path: Path) -> Path:
    return tmp_path / "packages"
