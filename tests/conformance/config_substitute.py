"""Cases of variable substitution in files."""

from __future__ import annotations

from pathlib import Path

from agent.errors import TransformError
from agent.transform import transform
from agent.transform.settings import TransformSettings
from agent.transform.text import decode
from tests.conformance.config_logs import check_error, check_log
from tests.conformance.config_selection import run_selection
from tests.conformance.config_texts import is_exact
from tests.conformance.result import AreaResult
from tests.conformance.text_cases import Case, CaseFailed, Verdict, case_variables, require, run_cases, tree_of


def run(folder: Path) -> AreaResult:
    """Every substitution case."""
    return run_cases(folder, _run)


def _run(path: Path, case: Case) -> Verdict:
    if case.kind == "detect-encoding":
        return _detect(path, case)
    if case.kind == "select-targets":
        return run_selection(case, "Performing variable substitution on '(.*)'")
    if case.kind in {"substitute-file", "substitute-file-nonsensitive"}:
        return _substitute(path, case, strict=case.kind.endswith("nonsensitive"))
    raise CaseFailed(f"the kind '{case.kind}' is unknown")


def _detect(path: Path, case: Case) -> Verdict:
    assert case.input is not None
    assert case.expect_encoding is not None
    document = decode((path / case.input).read_bytes())
    found = (document.encoding, document.bom)
    require(found == (case.expect_encoding.name, case.expect_encoding.bom), f"found {found}")
    require(all(text in document.text for text in case.expect_text_contains), "the text is wrong")
    return Verdict(exact=True)


def _substitute(path: Path, case: Case, *, strict: bool) -> Verdict:
    assert case.input is not None
    settings = TransformSettings(substitute=(case.input,), fail_on_unresolved=strict or None)
    with tree_of(path, case) as tree:
        try:
            done = transform(tree, settings, case_variables(case, tree))
        except TransformError as error:
            check_error(case, error)
            return Verdict()
        check_error(case, None)
        check_log(case, done.messages)
        after = (tree / case.input).read_bytes()
    if not isinstance(case.expected, str):
        return Verdict()
    expected = (path / case.expected).read_bytes()
    require(is_exact(after, expected, case.compare), f"differs: {after[:200]!r}")
    return Verdict(exact=True)
