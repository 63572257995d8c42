"""What the runners of the XML areas of `config/` share: cases, variables, and a loop that never stops."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent.variables import Variables
from tests.conformance.result import AreaResult

Case = Mapping[str, Any]
Judge = Callable[[Case, Path], str | None]
"""Takes a case and its folder; gives why it fails, None if it does not."""


def run_cases(folder: Path, judges: Mapping[str, Judge]) -> AreaResult:
    """Every case of an area, each by the judge of its kind. A kind without one fails."""
    passed = 0
    failed: list[tuple[str, str]] = []
    for path in sorted(folder.glob("*/case.json")):
        case: Case = json.loads(path.read_text(encoding="utf-8"))
        reason = _reason(case, path.parent, judges)
        passed += reason is None
        if reason is not None:
            failed.append((path.parent.name, reason))
    return AreaResult(area=f"config/{folder.name}", passed=passed, failed=tuple(failed))


def variables_of(case: Case, folder: str = "") -> Variables:
    """A case's variables; `{DIR}` in them is the folder that holds its files."""
    given = case.get("variables") or {}
    return Variables.of(
        {name: value if value is None else str(value).replace("{DIR}", folder) for name, value in given.items()}
    )


def _reason(case: Case, folder: Path, judges: Mapping[str, Judge]) -> str | None:
    judge = judges.get(case["kind"])
    if judge is None:
        return f"the runner has no kind {case['kind']}"
    try:
        return judge(case, folder)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
