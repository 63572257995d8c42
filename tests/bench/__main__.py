"""`make bench`: every figure with what it is measured against, in one run."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main(names: list[str]) -> None:
    """Run all benches, or those named (`bench_start`)."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    for name in names or found:
        print(f"── {name.removeprefix('bench_')} ──", flush=True)
        importlib.import_module(f"tests.bench.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
