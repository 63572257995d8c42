"""How fast packages are unpacked, beside unzip and tar: `python -m tests.bench.bench_packages`.

Exits 0 if every figure is within its bound. Times are medians of rounds in which ours and theirs take turns, in
seconds on the clock, since tar and gzip share the work between two processes. Memory is the peak of a process
that extracts one archive, to that of one that extracts another of five times the size.
"""

from __future__ import annotations

import random
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from agent.packages import FeedSettings, PackageCache, PackageReference, acquire, extract, open_feeds

FILES = 2_000
SIZE = 60_000_000
ROUNDS = 9
PARALLEL = 50
PARALLEL_SIZE = 5_000_000
LINK_BYTES_PER_SECOND = 60_000_000
MEMORY_SCRIPT = """
import re, sys
from pathlib import Path
from agent.packages import extract
extract(Path(sys.argv[1]), Path(sys.argv[2]))
print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Ours and theirs, and how many times theirs ours may be."""

    name: str
    unit: str
    ours: float
    theirs: float
    at_most: float

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.ours:.3f} {self.unit}, {self.theirs:.3f} {self.unit}, "
            f"ratio {self.ratio:.2f}x (at most {self.at_most:g}x)"
        )


def main() -> int:
    for program in ("unzip", "tar", "gzip"):
        if not shutil.which(program):
            sys.exit(f"this bench compares with {program}, which is not installed; apt-get install {program}")
    with tempfile.TemporaryDirectory() as folder:
        measurements = _measure(Path(folder))
        for measurement in measurements:
            sys.stdout.write(f"{measurement}\n")
    return 0 if all(each.ratio <= each.at_most for each in measurements) else 1


def _measure(folder: Path) -> list[Measurement]:
    packages = folder / "packages"
    packages.mkdir()
    tree = _tree(folder / "tree", FILES)
    zipped, tarred = _zip(tree, packages / "App.1.0.0.zip"), _tar(tree, packages / "Tar.1.0.0.tar.gz")
    large = _tree(folder / "large", FILES, size=5 * SIZE)
    large_zip, large_tar = _zip(large, folder / "Large.zip"), _tar(large, folder / "Large.tar.gz")
    target = folder / "target"
    return [
        _timed("60 MB zip of 2,000 files, to unzip", target, zipped, ["unzip", "-q", str(zipped), "-d"], 1.5),
        _timed("60 MB tar.gz of 2,000 files, to tar", target, tarred, ["tar", "-xzf", str(tarred), "-C"], 1.5),
        _cached(folder, zipped),
        _parallel(folder),
        _memory("memory for 300 MB of zip, to 60 MB", large_zip, zipped, target),
        _memory("memory for 300 MB of tar.gz, to 60 MB", large_tar, tarred, target),
    ]


def _timed(name: str, target: Path, archive: Path, command: list[str], at_most: float) -> Measurement:
    def theirs() -> None:
        target.mkdir()
        subprocess.run([*command, str(target)], check=True)

    pairs = [(_seconds(lambda: extract(archive, target), target), _seconds(theirs, target)) for _ in range(ROUNDS)]
    ours, others = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Measurement(name=name, unit="s", ours=ours, theirs=others, at_most=at_most)


def _cached(folder: Path, archive: Path) -> Measurement:
    """Acquire from a folder: the first time and, by a new cache object as in a new run, again."""
    feeds = open_feeds({"built-in": FeedSettings(type="folder", uri="packages")}, folder)
    reference = PackageReference(id="App", version="1.0.0")

    def get() -> None:
        acquire([reference], feeds, PackageCache(folder / "cache"), lambda _: lambda *_: None)

    pairs = [(_seconds(get), _seconds(get, folder / "cache")) for _ in range(ROUNDS)]
    first, again = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Measurement(
        name=f"{archive.stat().st_size / 1e6:.0f} MB from the cache, to the first time",
        unit="s",
        ours=again,
        theirs=first,
        at_most=1.5,
    )


def _parallel(folder: Path) -> Measurement:
    """50 packages over a link of a fixed rate, each request 20 ms away, to eight plain readers that keep nothing."""
    served = folder / "served"
    served.mkdir()
    names = [f"App{number}" for number in range(PARALLEL)]
    for name in names:
        (served / f"{name}.1.0.0.zip").write_bytes(random.Random(name).randbytes(PARALLEL_SIZE))
    command = [sys.executable, "-m", "tests.bench.slow_link", str(served), str(LINK_BYTES_PER_SECOND), "0.02"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as link:
        assert link.stdout is not None
        port = int(link.stdout.readline())
        pairs = [(_acquired_seconds(folder, port, names), _read_seconds(port, names)) for _ in range(3)]
        link.terminate()
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Measurement(
        name=f"{PARALLEL} packages of {PARALLEL_SIZE / 1e6:g} MB at {LINK_BYTES_PER_SECOND / 1e6:g} MB/s, to a link",
        unit="s",
        ours=ours,
        theirs=theirs,
        at_most=1.1,
    )


def _acquired_seconds(folder: Path, port: int, names: list[str]) -> float:
    settings = FeedSettings(type="http", uri=f"http://127.0.0.1:{port}/{{id}}.{{version}}.zip", allow_local=True)
    feeds = open_feeds({"built-in": settings}, folder)
    references = [PackageReference(id=name, version="1.0.0") for name in names]
    cache = folder / "cache"
    return _seconds(lambda: acquire(references, feeds, PackageCache(cache), lambda _: lambda *_: None), cache)


def _read_seconds(port: int, names: list[str]) -> float:
    def read(name: str) -> None:
        connection = HTTPConnection("127.0.0.1", port)
        connection.request("GET", f"/{name}.1.0.0.zip")
        answer = connection.getresponse()
        while answer.read(1 << 18):
            pass
        connection.close()

    def read_all() -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(read, names))

    return _seconds(read_all)


def _memory(name: str, large: Path, small: Path, target: Path) -> Measurement:
    return Measurement(name=name, unit="MB", ours=_peak(large, target), theirs=_peak(small, target), at_most=1.1)


def _peak(archive: Path, target: Path) -> float:
    command = [sys.executable, "-c", MEMORY_SCRIPT, str(archive), str(target)]
    kilobytes = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    shutil.rmtree(target)
    return kilobytes / 1000


def _seconds(work: Callable[[], object], remove: Path | None = None) -> float:
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    if remove:
        shutil.rmtree(remove)
    return seconds


def _tree(root: Path, files: int, size: int = SIZE) -> Path:
    """Files in 100 folders; half of the content is noise, as in programs, half is words."""
    chooser = random.Random(1)
    words = [chooser.randbytes(5).hex().encode() for _ in range(500)]
    each = size // files
    for number in range(files):
        path = root / f"folder{number % 100}" / "inner" / f"file{number}.dll"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = chooser.randbytes(each // 2)
        path.write_bytes((noise + b" ".join(chooser.choices(words, k=each // 22 + 1)))[:each])
    return root


def _zip(tree: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(tree.rglob("*")):
            packed.write(path, path.relative_to(tree))
    return archive


def _tar(tree: Path, archive: Path) -> Path:
    with tarfile.open(archive, "w:gz", compresslevel=6) as packed:
        packed.add(tree, ".")
    return archive


if __name__ == "__main__":
    sys.exit(main())
