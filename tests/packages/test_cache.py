from __future__ import annotations

import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import PackageError, StorageError
from agent.host import ByteProgress
from agent.packages import AcquiredPackage, FeedPackage, PackageCache, PackageReference, extract
from agent.packages.cache import CacheEntry
from agent.packages.feeds import Fetched, FolderFeed
from agent.packages.versions import parse_semver
from tests.packages.archive_making import Member, write_archive


class CountingFeed(FolderFeed):
    """A folder feed that says how often it was asked for a file."""

    fetched = 0

    def fetch(self, package: FeedPackage, into: Path, progress: ByteProgress) -> Fetched:
        self.fetched += 1
        return super().fetch(package, into, progress)


@pytest.fixture(params=[0o644, 0o666], ids=["linked", "copied"])
def feed(tmp_path: Path, request: pytest.FixtureRequest) -> CountingFeed:
    folder = tmp_path / "feed"
    folder.mkdir()
    file = write_archive(folder / "App.1.0.0", [Member(name=f"{n}.txt", data=b"content" * 100) for n in range(20)])
    file.chmod(request.param)
    return CountingFeed(name="built-in", root=folder)


def test_a_second_run_takes_it_from_the_cache(tmp_path: Path, feed: CountingFeed) -> None:
    first = _get(PackageCache(tmp_path / "cache"), feed)
    second = _get(PackageCache(tmp_path / "cache"), feed)
    assert feed.fetched == 1
    assert second == first
    assert first.path.read_bytes() == (feed.root / "App.1.0.0.zip").read_bytes()
    assert list((tmp_path / "cache" / "incoming").iterdir()) == []


def test_a_package_replaced_in_the_feed_is_fetched_again(tmp_path: Path, feed: CountingFeed) -> None:
    first = _get(PackageCache(tmp_path / "cache"), feed)
    (feed.root / "App.1.0.0.zip").unlink()
    write_archive(feed.root / "App.1.0.0", [Member(name="other.txt", data=b"other")])
    second = _get(PackageCache(tmp_path / "cache"), feed)
    assert second.sha256 != first.sha256
    assert second.path.read_bytes() == (feed.root / "App.1.0.0.zip").read_bytes()


def test_equal_content_is_kept_once(tmp_path: Path, feed: CountingFeed) -> None:
    (feed.root / "Copy.2.0.0.zip").write_bytes((feed.root / "App.1.0.0.zip").read_bytes())
    cache = PackageCache(tmp_path / "cache")
    assert _get(cache, feed).path == _get(cache, feed, "Copy").path


def test_1000_flipped_bits_are_found_and_none_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "feed"
    folder.mkdir()
    file = write_archive(folder / "App.1.0.0", [Member(name="app.txt", data=b"content" * 50)])
    file.chmod(0o666)
    feed, sound = CountingFeed(name="built-in", root=folder), file.read_bytes()
    chooser = random.Random(23)
    for flips in range(1, 1001):
        cached = _get(PackageCache(tmp_path / "cache"), feed)
        assert cached.path.read_bytes() == sound
        assert feed.fetched == flips
        _flip(cached.path, chooser.randrange(len(sound) * 8))


def test_damage_behind_an_unchanged_size_and_time_is_never_taken_for_the_package(tmp_path: Path) -> None:
    folder = tmp_path / "feed"
    folder.mkdir()
    file = write_archive(folder / "App.1.0.0", [Member(name="app.txt", data=b"content" * 50)])
    feed = CountingFeed(name="built-in", root=folder)
    entry = _get(PackageCache(tmp_path / "cache"), feed)
    assert entry.path.samefile(file)
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    _flip(file, 1000)
    os.utime(file, ns=times)
    with pytest.raises(PackageError, match="is damaged: its content changed"):
        _get(PackageCache(tmp_path / "cache"), feed)


def test_what_changes_after_it_was_acquired_is_not_extracted(tmp_path: Path, feed: CountingFeed) -> None:
    entry = _get(PackageCache(tmp_path / "cache"), feed)
    package = AcquiredPackage(
        reference=PackageReference(id="App", version="1.0.0"),
        id="App",
        version=parse_semver("1.0.0"),
        path=entry.path,
        sha256=entry.sha256,
        size=entry.size,
        extension=".zip",
        seal=entry.seal,
    )
    assert extract(package, tmp_path / "sound").files == 20
    assert extract(replace(package, seal=""), tmp_path / "hashed").files == 20
    _flip(entry.path, 500)
    with pytest.raises(PackageError, match="has changed in the cache since it was acquired; run again"):
        extract(package, tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


@pytest.mark.parametrize(
    "record", [b"", b"{}", b"nonsense", b'{"sha256":"../../../etc/passwd","stamp":""}', b"\xff" * 9000]
)
def test_a_spoilt_index_is_no_more_than_a_miss(tmp_path: Path, feed: CountingFeed, record: bytes) -> None:
    first = _get(PackageCache(tmp_path / "cache"), feed)
    for file in (tmp_path / "cache" / "index").iterdir():
        file.write_bytes(record)
    assert _get(PackageCache(tmp_path / "cache"), feed).sha256 == first.sha256
    assert feed.fetched == 2


def test_an_entry_that_is_a_link_is_not_followed(tmp_path: Path, feed: CountingFeed) -> None:
    entry = _get(PackageCache(tmp_path / "cache"), feed)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(entry.path.read_bytes())
    entry.path.unlink()
    entry.path.symlink_to(elsewhere)
    with pytest.raises(StorageError, match="package cache"):
        _get(PackageCache(tmp_path / "cache"), feed)


def test_only_the_owner_may_look_into_the_cache(tmp_path: Path, feed: CountingFeed) -> None:
    _get(PackageCache(tmp_path / "cache"), feed)
    folders = [tmp_path / "cache", *(path for path in (tmp_path / "cache").rglob("*") if path.is_dir())]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


def test_a_cache_that_cannot_be_made_is_a_storage_error(tmp_path: Path, feed: CountingFeed) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(StorageError, match="check its owner"):
        _get(PackageCache(tmp_path / "cache"), feed)


def test_threads_and_processes_share_a_cache(tmp_path: Path, feed: CountingFeed) -> None:
    script = (
        "import sys; from pathlib import Path; from agent.packages import PackageCache;"
        "from agent.packages.feeds import FolderFeed;"
        "feed = FolderFeed(name='f', root=Path(sys.argv[1]));"
        "[print(PackageCache(Path(sys.argv[2])).get(feed, feed.versions('App')[0], lambda a, b: None).sha256)"
        " for _ in range(100)]"
    )
    arguments = [sys.executable, "-c", script, str(feed.root), str(tmp_path / "cache")]
    processes = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    cache = PackageCache(tmp_path / "cache")
    with ThreadPoolExecutor(4) as pool:
        mine = {entry.sha256 for entry in pool.map(lambda _: _get(cache, feed), range(100))}
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        mine |= set(output.split())
    assert len(mine) == 1


def _get(cache: PackageCache, feed: FolderFeed, name: str = "App") -> CacheEntry:
    return cache.get(feed, feed.versions(name)[0], lambda *_: None)


def _flip(path: Path, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))
