from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.packages import (
    AcquiredPackage,
    FeedSettings,
    PackageCache,
    PackageReference,
    Retention,
    acquire,
    cached_packages,
    open_feeds,
    remove,
    surplus,
)
from tests.packages.archive_making import Member, write_archive

DAY = 86_400
Fill = Callable[..., dict[str, AcquiredPackage]]

HOLDER = """
import sys, time
from pathlib import Path
from agent.packages import FeedSettings, PackageCache, PackageReference, acquire, open_feeds
root = Path(sys.argv[1])
feeds = open_feeds({"built-in": FeedSettings(type="folder", uri="packages")}, root)
cache = PackageCache(root / "cache")
(package,) = acquire([PackageReference(id="App", version="1.0.0")], feeds, cache, lambda _: lambda *_: None)
print(package.sha256, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def fill(tmp_path: Path) -> Fill:
    """Acquires `App 1.0.0` and the like, each so many days ago; gives them by their name."""
    (tmp_path / "packages").mkdir()

    def fill(**ages: float) -> dict[str, AcquiredPackage]:
        acquired = {}
        for name, days in ages.items():
            id_, _, version = name.replace("_", ".").partition(".")
            file = tmp_path / "packages" / f"{id_}.{version}.zip"
            if not file.exists():
                write_archive(file.with_suffix(""), [Member(name="name", data=name.encode() * 100)])
                file.chmod(0o666)  # else it is linked, and frees nothing
            acquired[name] = _acquire(tmp_path, id_, version)
            _age(tmp_path / "cache", acquired[name].sha256, days)
        return acquired

    return fill


def test_the_cache_tells_what_it_holds(tmp_path: Path, fill: Fill) -> None:
    packages = fill(App_1_0=3, Web_2_0=1)
    web, app = cached_packages(tmp_path / "cache")
    assert (web.names, app.names) == (("Web 2.0",), ("App 1.0",))
    assert (web.sha256, web.size) == (packages["Web_2_0"].sha256, packages["Web_2_0"].size)
    assert app.feeds == (str(tmp_path / "packages"),)
    assert abs(time.time() - app.used.timestamp() - 3 * DAY) < 60


def test_a_cache_that_is_not_there_is_empty_and_stays_away(tmp_path: Path) -> None:
    assert cached_packages(tmp_path / "none") == []
    assert surplus(tmp_path / "none", Retention(days=0, free=1 << 60), lambda _: False) == []
    assert not (tmp_path / "none").exists()


def test_what_was_not_used_for_long_goes(tmp_path: Path, fill: Fill) -> None:
    packages = fill(App_1_0=40, App_1_1=31, App_1_2=29)
    assert _prune(tmp_path, Retention(days=30)) == {packages["App_1_0"].sha256, packages["App_1_1"].sha256}
    assert [package.names for package in cached_packages(tmp_path / "cache")] == [("App 1.2",)]
    assert _prune(tmp_path, Retention(days=30)) == set()


def test_use_makes_young_again(tmp_path: Path, fill: Fill) -> None:
    fill(App_1_0=40)
    _acquire(tmp_path, "App", "1.0")
    assert _prune(tmp_path, Retention(days=30)) == set()


def test_only_so_many_of_an_id_stay_the_latest_used_ones(tmp_path: Path, fill: Fill) -> None:
    packages = fill(App_1_0=1, App_1_1=4, App_1_2=3, App_1_3=2, Web_1_0=9)
    assert _prune(tmp_path, Retention(versions=2)) == {packages["App_1_1"].sha256, packages["App_1_2"].sha256}


def test_the_longest_unused_goes_until_the_disk_has_room(tmp_path: Path, fill: Fill) -> None:
    packages = fill(App_1_0=1, App_1_1=4, Web_1_2=3, App_1_3=2)
    free = shutil.disk_usage(tmp_path).free
    going = surplus(tmp_path / "cache", Retention(free=free + (1 << 40)), lambda _: False)
    order = [one.package.names[0] for one in going]
    assert order == ["App 1.1", "Web 1.2", "App 1.3", "App 1.0"]
    assert surplus(tmp_path / "cache", Retention(free=1), lambda _: False) == []
    assert all(one.reason == "the disk is to have more room" for one in going)
    assert packages["App_1_0"].path.exists()


def test_what_is_needed_never_goes(tmp_path: Path, fill: Fill) -> None:
    packages = fill(App_1_0=90, App_1_1=80)
    needed = {packages["App_1_0"].sha256}
    removed = _prune(tmp_path, Retention(days=1, versions=0, free=1 << 60), needed)
    assert removed == {packages["App_1_1"].sha256}
    assert packages["App_1_0"].path.exists()


def test_what_was_needed_only_after_the_preview_stays(tmp_path: Path, fill: Fill) -> None:
    packages = fill(App_1_0=90)
    going = surplus(tmp_path / "cache", Retention(days=1), lambda _: False)
    assert remove(tmp_path / "cache", going, lambda _: True) == []
    assert packages["App_1_0"].path.exists()


def test_content_that_no_version_leads_to_goes(tmp_path: Path, fill: Fill) -> None:
    old = fill(App_1_0=0)["App_1_0"]
    (tmp_path / "packages/App.1.0.zip").unlink()
    write_archive(tmp_path / "packages/App.1.0", [Member(name="new")])
    _acquire(tmp_path, "App", "1.0")
    assert _prune(tmp_path, Retention(versions=5)) == {old.sha256}


def test_what_another_process_uses_stays_until_it_ends(tmp_path: Path, fill: Fill) -> None:
    fill(App_1_0_0=90)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as holder:
        assert holder.stdout is not None
        sha256 = holder.stdout.readline().strip()
        assert _prune(tmp_path, Retention(versions=0)) == set()
        holder.kill()
    assert _prune(tmp_path, Retention(versions=0)) == {sha256}
    assert list((tmp_path / "cache/leases").iterdir()) == []


def test_nothing_is_removed_under_those_who_use_it(tmp_path: Path, fill: Fill) -> None:
    """Threads acquire while another removes all it may; what was given is there as long as its cache lives."""
    fill(App_1_0=0, App_1_1=0, App_1_2=0)
    stop = threading.Event()
    removed: list[int] = []

    def prune() -> None:
        while not stop.is_set():
            removed.append(len(_prune(tmp_path, Retention(versions=0))))

    failures: list[str] = []

    def use(seed: int) -> None:
        chooser = random.Random(seed)
        for _ in range(40):
            cache = PackageCache(tmp_path / "cache")
            package = _acquire(tmp_path, "App", chooser.choice(["1.0", "1.1", "1.2"]), cache)
            for _ in range(3):
                time.sleep(0.001)
                if not package.path.exists():
                    failures.append(str(package.version))

    users = [threading.Thread(target=use, args=(seed,)) for seed in range(3)]
    pruner = threading.Thread(target=prune)
    for thread in (*users, pruner):
        thread.start()
    for thread in users:
        thread.join()
    stop.set()
    pruner.join()
    assert failures == []
    assert sum(removed) > 0


@pytest.mark.parametrize("seed", range(20))
def test_random_histories_end_as_the_rules_say(tmp_path: Path, fill: Fill, seed: int) -> None:
    chooser = random.Random(seed)
    names = [f"{id_}_{version}_0" for id_ in ("App", "Web") for version in range(1, 5)]
    ages = {name: chooser.randrange(100) + number / 100 for number, name in enumerate(chooser.sample(names, 6))}
    packages = fill(**ages)
    needed = {name for name in ages if chooser.random() < 0.3}
    days, versions = chooser.choice([None, 20, 50]), chooser.choice([None, 0, 1, 2])
    removed = _prune(tmp_path, Retention(days=days, versions=versions), {packages[name].sha256 for name in needed})
    expected = set()
    for name, age in ages.items():
        newer = [other for other in ages if other[:3] == name[:3] and ages[other] < age]
        too_many = versions is not None and len(newer) >= versions
        if name not in needed and (too_many or (days is not None and age > days)):
            expected.add(packages[name].sha256)
    assert removed == expected
    assert {name for name in ages if packages[name].path.exists()} == {
        name for name in ages if packages[name].sha256 not in expected
    }


def _prune(tmp_path: Path, retention: Retention, needed: set[str] | None = None) -> set[str]:
    wanted = needed or set()
    going = surplus(tmp_path / "cache", retention, wanted.__contains__)
    return {one.package.sha256 for one in remove(tmp_path / "cache", going, wanted.__contains__)}


def _acquire(tmp_path: Path, id_: str, version: str, cache: PackageCache | None = None) -> AcquiredPackage:
    feeds = open_feeds({"built-in": FeedSettings(type="folder", uri="packages")}, tmp_path)
    used = cache or PackageCache(tmp_path / "cache")
    (package,) = acquire([PackageReference(id=id_, version=version)], feeds, used, lambda _: lambda *_: None)
    return package


def _age(cache: Path, sha256: str, days: float) -> None:
    for record in (cache / "index").iterdir():
        if sha256 in record.read_text():
            os.utime(record, (time.time() - days * DAY,) * 2)
