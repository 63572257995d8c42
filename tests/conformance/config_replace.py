"""Cases of one structured format: JSON, YAML or properties, called directly."""

from __future__ import annotations

import json
from pathlib import Path

from agent.transform.structured import json as json_format
from agent.transform.structured import properties, yaml
from agent.transform.structured.candidates import Candidates
from agent.transform.structured.formats import ParseFailure, Replace
from agent.variables import Variables
from tests.conformance.config_logs import check_error, check_log
from tests.conformance.config_texts import Comparison, check_same, is_exact
from tests.conformance.result import AreaResult
from tests.conformance.text_cases import Case, CaseFailed, Verdict, case_variables, require, run_cases

_FORMATS: dict[str, Replace] = {
    "json": json_format.replace,
    "yaml": yaml.replace,
    "properties": properties.replace,
}


def run(folder: Path) -> AreaResult:
    """The cases of the format that the folder is named after."""
    replace = _FORMATS[folder.name]
    return run_cases(folder, lambda path, case: _run(replace, path, case))


def _run(replace: Replace, path: Path, case: Case) -> Verdict:
    assert case.input is not None
    before = (path / case.input).read_bytes()
    if case.kind == "paths":
        return _run_paths(replace, before, json.loads((path / str(case.expected)).read_bytes()))
    if case.kind != "replace-file":
        raise CaseFailed(f"the kind '{case.kind}' is unknown")
    variables = case_variables(case, path)
    try:
        replaced = replace(before, Candidates(variables), case.input)
    except ParseFailure as failure:
        check_error(case, failure)
        return Verdict()
    check_error(case, None)
    check_log(case, replaced.messages)
    if not isinstance(case.expected, str):
        require(replaced.data == before, "changed, and should not")
        return Verdict(exact=True)
    expected = (path / case.expected).read_bytes()
    names = tuple(variables)
    check_same(Comparison(before=before, after=replaced.data, expected=expected, names=names, compare=case.compare))
    return Verdict(exact=is_exact(replaced.data, expected, case.compare))


def _run_paths(replace: Replace, before: bytes, expected: list[dict[str, str]]) -> Verdict:
    """Each path leads to its value: a variable of that name changes it, and nothing else."""
    for each in expected:
        names = Candidates(Variables.of({each["path"]: "another"}))
        found = [(change.place, change.old) for change in replace(before, names, "input").changes]
        require(found == [(each["path"], each["value"])], f"{each['path']} leads to {found}")
    return Verdict(exact=True)
