"""Cases of the structured variables service: which file is of which format, and what becomes of all of them."""

from __future__ import annotations

from pathlib import Path

from agent.errors import TransformError
from agent.transform import transform
from agent.transform.settings import settings_from
from tests.conformance.config_logs import check_error, check_log
from tests.conformance.config_selection import run_selection
from tests.conformance.config_texts import Comparison, check_same, is_exact, read
from tests.conformance.result import AreaResult
from tests.conformance.text_cases import (
    Case,
    CaseFailed,
    Verdict,
    case_variables,
    expected_files,
    require,
    run_cases,
    tree_of,
)

_AT_WORK = "Attempting structured variable replacement on file (.*) with format "


def run(folder: Path) -> AreaResult:
    """Every service case."""
    return run_cases(folder, _run)


def _run(path: Path, case: Case) -> Verdict:
    if case.kind == "feature-enabled":
        enabled = settings_from(None, case_variables(case, path)).structured is not None
        require(enabled == case.expect_run, f"the feature is {'on' if enabled else 'off'}")
        return Verdict(exact=True)
    if case.kind == "select-targets":
        return run_selection(case, _AT_WORK)
    if case.kind == "run-service":
        return _run_service(path, case)
    raise CaseFailed(f"the kind '{case.kind}' is unknown")


def _run_service(path: Path, case: Case) -> Verdict:
    with tree_of(path, case) as tree:
        before = {file.name: file.read_bytes() for file in tree.iterdir()}
        variables = case_variables(case, tree)
        try:
            done = transform(tree, None, variables)
        except TransformError as error:
            check_error(case, error)
            check_log(case, getattr(error, "messages", ()))
            return Verdict()
        after = {file.name: file.read_bytes() for file in tree.iterdir()}
    check_error(case, None)
    check_log(case, done.messages)
    for name, expected in expected_files(case).items():
        check_same(
            Comparison(
                before=before[name],
                after=after[name],
                expected=(path / expected).read_bytes(),
                names=tuple(variables),
                compare=case.compare,
            )
        )
    if case.compare == "checks":
        assert case.input is not None
        _check(case, read(after[case.input]).text)
    exact = (
        is_exact(after[name], (path / file).read_bytes(), case.compare) for name, file in expected_files(case).items()
    )
    return Verdict(exact=all(exact))


def _check(case: Case, text: str) -> None:
    for check in case.checks:
        require(check.text_contains in text, f"the result lacks {check.text_contains!r}")
        require(text.startswith(check.text_starts_with), f"does not start with {check.text_starts_with!r}")
