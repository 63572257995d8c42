"""Cases of target patterns over small trees."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from agent.transform.files import Workspace
from tests.conformance.result import AreaResult
from tests.conformance.text_cases import Case, Verdict, require, run_cases


def run(folder: Path) -> AreaResult:
    """Every pattern case."""
    return run_cases(folder, _run)


def _run(_: Path, case: Case) -> Verdict:
    with TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        for name in case.files:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(b"")
        workspace = Workspace(root)
        found = {path for target in case.targets or () for path in workspace.find(target)}
        if case.expect_match_count is not None:
            require(len(found) == case.expect_match_count, f"{len(found)} found, not {case.expect_match_count}")
        names = {path.name for path in found}
        require(names.issuperset(case.expect_match_names_include), f"found {sorted(names)}")
        require(not case.expect_only_files or all(path.is_file() for path in found), "not only files")
    return Verdict(exact=True)
