"""How soon `dockwright --version` answers: `python -m tests.bench.bench_start`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.installed import compile_packages

ROUNDS = 15
DOCKWRIGHT = str(Path(sys.executable).with_name("dockwright"))


def main() -> None:
    compile_packages()
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        ours.append(seconds(DOCKWRIGHT, "--version"))
        theirs.append(seconds(sys.executable, "-c", "import click"))
    mine, bare = statistics.median(ours), statistics.median(theirs)
    print(
        f"dockwright --version: {mine:.3f} s, python -c 'import click': {bare:.3f} s, "
        f"ratio {mine / bare:.2f}x (at most 3x)"
    )


def seconds(*command: str) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
