"""`python -m tests.conformance DIR`: runs the reference systems' cases that DIR holds."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from tests.conformance.result import AreaResult

AREAS = ("octostache", "config", "xdt")


def main(arguments: list[str]) -> int:
    """0 if no case failed, 1 if one did, 2 for a folder without cases."""
    folders = [Path(arguments[0]) / area for area in AREAS] if len(arguments) == 1 else []
    present = [folder for folder in folders if folder.is_dir()]
    if not present:
        _print("usage: python -m tests.conformance DIR, where DIR holds octostache/, config/ or xdt/")
        return 2
    results = [result for folder in present for result in _results(folder)]
    for result in results:
        for case, reason in result.failed:
            _print(f"FAILED {result.area} {case}: {reason}")
    _print_quirks(results)
    for result in results:
        _print(_summary(result))
    return 1 if any(result.failed for result in results) else 0


def _results(folder: Path) -> list[AreaResult]:
    """What the area's own runner finds; it is imported only now, since each needs its own libraries."""
    found = importlib.import_module(f"tests.conformance.{folder.name}").run(folder)
    return found if isinstance(found, list) else [found]


def _print_quirks(results: list[AreaResult]) -> None:
    quirks = [(result.area, *quirk) for result in results for quirk in result.quirks]
    if not quirks:
        return
    _print("")
    _print("Passed by doing better than the reference:")
    width = max(len(f"{area} {case}") for area, case, _ in quirks)
    for area, case, reason in quirks:
        _print(f"  {f'{area} {case}':{width}}  {reason}")
    _print("")


def _summary(result: AreaResult) -> str:
    exact = "" if result.exact is None else f" ({result.exact} exact)"
    return f"{result.area}: {result.passed} passed, {len(result.failed)} failed{exact}"


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
