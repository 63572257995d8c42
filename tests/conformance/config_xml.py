"""Runs the cases of structured variables in XML files."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from agent.transform.changes import Change
from agent.transform.structured.candidates import Candidates
from agent.transform.structured.formats import ParseFailure
from agent.transform.structured.xml import replace
from agent.transform.xml.files import read_xml
from tests.conformance.log_facts import log_reason
from tests.conformance.result import AreaResult
from tests.conformance.xml_cases import Case, run_cases, variables_of
from tests.conformance.xml_documents import same_document


def run(folder: Path) -> AreaResult:
    """Every case of `config/xml`."""
    return run_cases(folder, {"replace-file": _replace_file})


def _replace_file(case: Case, folder: Path) -> str | None:
    data = (folder / case["input"]).read_bytes()
    try:
        replaced = replace(data, Candidates(variables_of(case)), case["input"])
    except ParseFailure as failure:
        return None if case.get("expect_error") else f"not parsed: {failure}"
    if case.get("expect_error"):
        return "should fail"
    if case.get("expect_unchanged") and replaced.data != data:
        return "the file was touched"
    reason = log_reason(case, replaced.messages)
    if reason is None and case.get("expected"):
        expected = (folder / case["expected"]).read_bytes()
        reason = _compare(case, data, replaced.data, expected) or stray_line(data, replaced.data, replaced.changes)
    return reason


def _compare(case: Case, data: bytes, result: bytes, expected: bytes) -> str | None:
    if not same_document(result, expected):
        return "another document"
    model = read_xml(expected if case["compare"] == "bytes" else data)
    ours = read_xml(result)
    if (ours.encoding, ours.bom) != (model.encoding, model.bom):
        return f"encoding {ours.encoding}, BOM {ours.bom}; not {model.encoding}, {model.bom}"
    kinds = set(re.findall(r"\r\n|\n", read_xml(data).text))
    if set(re.findall(r"\r\n|\n", ours.text)) - kinds:
        return "another kind of newline came in"
    return None


def stray_line(before: bytes, after: bytes, changes: Sequence[Change]) -> str | None:
    """An input line that changed and holds no replaced value."""
    old, new = read_xml(before), read_xml(after)
    old_lines, new_lines = old.text.splitlines(), new.text.splitlines()
    pieces = [piece.strip() for change in changes for piece in (change.old or "").splitlines()]
    steps = [re.sub(r"\W*(?:\[\d+\])?$", "", change.place).rpartition("/")[2].lstrip("@") for change in changes]
    matcher = difflib.SequenceMatcher(None, old_lines, new_lines, autojunk=False)
    for kind, start, end, _, _ in matcher.get_opcodes():
        for line in old_lines[start:end] if kind != "equal" else ():
            holds = any(piece and piece in line for piece in pieces) or any(step and step in line for step in steps)
            redeclared = line.startswith("<?xml") and old.encoding != new.encoding
            if not holds and not redeclared:
                return f"a line without a replaced value changed: {line}"
    return None
