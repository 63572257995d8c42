"""What a replacement costs those who ask: `python -m tests.bench.bench_replacing [ROUNDS]`.

An application that boots in 2 s, asked 250 times a second on new connections, is replaced again and again: through
HAProxy, through nginx, by our relay, by `recreate`, and by hand with `docker stop`, `rm`, `run` and a loop that asks
for health. The ways take turns.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from agent.host import ContainerHost, HostAddress
from agent.journal import Journal
from linux.local import connect
from linux.sandbox import down, up
from linux.sandbox.engine_call import EngineSocket
from tests.bench.ways import open_way, remove_all
from tests.system.place import Place, Way
from tests.system.prober import probing
from tests.system.python_image import make_python_image
from tests.system.shop import free_port

ROUNDS = 5
NAME = "dockwright-bench-replacing"
IMAGE = f"{NAME}:1"
BOOT = "2"


@dataclass
class Figures:
    """Of one way, over all rounds."""

    asked: int = 0
    lost: list[int] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    gaps: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def line(self, name: str) -> str:
        lost, gap, took = sum(self.lost), statistics.median(self.gaps), statistics.median(self.seconds)
        return (
            f"{name:<9} {len(self.lost)} replacements: {lost} of {self.asked} requests lost, "
            f"longest gap {gap:.2f} s (median; at most {max(self.gaps):.2f}), took {took:.2f} s"
            + "".join(f"\n          {count} times: {problem}" for problem, count in self.problems.most_common(3))
        )


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdecimal() else ROUNDS
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=NAME)))
        sandbox = up(folder / "sandbox", base_image=f"{NAME}/base:1", say=lambda _line: None)
        stack.callback(down, folder / "sandbox", say=lambda _line: None)
        engine = EngineSocket(sandbox.host.removeprefix("unix://"))
        make_python_image(IMAGE, engine)
        stack.callback(engine.call, "DELETE", f"/images/{IMAGE}", query={"force": "1"})
        host = connect(HostAddress(url=sandbox.host))
        stack.callback(host.close)
        figures: dict[str, Figures] = {}
        replacers = _replacers(folder, stack, host)
        for number in range(1, rounds + 1):
            for name, (port, replace) in replacers.items():
                _measure(port, number, replace, figures.setdefault(name, Figures()))
        for name, figure in figures.items():
            print(figure.line(name), flush=True)


def _replacers(folder: Path, stack: ExitStack, host: ContainerHost) -> dict[str, tuple[int, Callable[[int], None]]]:
    found: dict[str, tuple[int, Callable[[int], None]]] = {}
    for name in ("haproxy", "nginx", "hold", "recreate"):
        own = folder / name
        own.mkdir()
        journal = Journal(own / "journal.db")
        stack.callback(journal.close)
        place = Place(f"{NAME}-{name}", IMAGE, host, journal)
        way = open_way(name, own, stack, place)
        stack.callback(remove_all, place)
        place.deploy(0, way)
        found[name] = (way.port, partial(_deploy, place, way))
    port = free_port()
    by_hand = _ByHand(port)
    stack.callback(by_hand.remove)
    by_hand.run(0)
    found["by hand"] = (port, by_hand.replace)
    return found


def _deploy(place: Place, way: Way, number: int) -> None:
    place.deploy(number, way, BOOT=BOOT)


@dataclass(frozen=True)
class _ByHand:
    """The commands that people type."""

    port: int

    def replace(self, number: int) -> None:
        _docker("stop", "-t", "2", f"{NAME}-hand")
        _docker("rm", f"{NAME}-hand")
        self.run(number)

    def run(self, number: int) -> None:
        publish = f"127.0.0.1:{self.port}:80"
        settings = ["-e", f"VERSION={number}", "-e", f"BOOT={BOOT if number else 0}"]
        _docker("run", "-d", "--name", f"{NAME}-hand", "-p", publish, *settings, IMAGE)
        while not _answers(self.port):
            time.sleep(0.02)

    def remove(self) -> None:
        _docker("rm", "-f", f"{NAME}-hand")


def _docker(*arguments: str) -> None:
    subprocess.run(["docker", *arguments], check=True, stdout=subprocess.DEVNULL, timeout=60)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _measure(port: int, number: int, replace: Callable[[int], None], figures: Figures) -> None:
    with probing(port) as probe:
        time.sleep(0.5)
        began = time.monotonic()
        replace(number)
        figures.seconds.append(time.monotonic() - began)
        time.sleep(0.5)
    figures.asked += len(probe.answers)
    figures.lost.append(len(probe.lost))
    figures.problems.update(answer.problem for answer in probe.lost)
    figures.gaps.append(probe.longest_gap)


if __name__ == "__main__":
    main()
