"""Runs the cases of .NET configuration variables."""

from __future__ import annotations

import tempfile
from pathlib import Path, PureWindowsPath

from lxml import etree

from agent.errors import TransformError
from agent.transform.config_variables import apply
from agent.transform.files import Workspace
from agent.transform.messages import TransformFailure
from agent.transform.settings import ConfigVariableRules, settings_from
from agent.transform.xml.files import read_xml
from tests.conformance.config_xml import stray_line
from tests.conformance.log_facts import log_reason
from tests.conformance.result import AreaResult
from tests.conformance.xml_cases import Case, run_cases, variables_of


def run(folder: Path) -> AreaResult:
    """Every case of `config/configvars`."""
    return run_cases(folder, {"replace-file": _replace_file, "select-targets": _select_targets})


def _replace_file(case: Case, folder: Path) -> str | None:
    """The case calls the replacer on one file; here it is the only file of a tree, and the feature is on."""
    data = (folder / case["input"]).read_bytes()
    variables = variables_of(case)
    ignore = variables.flag("Octopus.Action.Package.IgnoreVariableReplacementErrors")
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / case["input"]
        path.write_bytes(data)
        workspace = Workspace(Path(work))
        try:
            result = apply(workspace, ConfigVariableRules(ignore_errors=ignore), variables)
        except TransformError as failure:
            messages = failure.messages if isinstance(failure, TransformFailure) else ()
            unchanged = path.read_bytes() == data
            return log_reason(case, messages) if case.get("expect_error") and unchanged else f"failed: {failure}"
        workspace.commit()
        after = path.read_bytes()
    if case.get("expect_error"):
        return "should fail"
    if case.get("expect_unchanged") and after != data:
        return "the file was touched"
    return (
        log_reason(case, result.messages, case["input"])
        or check_reason(case, after)
        or stray_line(data, after, result.changes)
    )


def _select_targets(case: Case, folder: Path) -> str | None:
    """The files that the feature, if it is on at all, looks at."""
    names = [PureWindowsPath(name).relative_to("C:\\").as_posix() for name in case["files"]]
    wanted = {PureWindowsPath(name).relative_to("C:\\").as_posix() for name in case["expect_processed"]}
    variables = variables_of(case)
    rules = settings_from(None, variables).config_variables
    with tempfile.TemporaryDirectory() as work:
        for name in names:
            (Path(work) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(work) / name).write_text("<configuration/>", encoding="utf-8")
        said = apply(Workspace(Path(work)), rules, variables).messages if rules is not None else ()
    looked_at = {name for name in names if any(message.text.endswith(f" in: {name}") for message in said)}
    return None if looked_at == wanted else f"looked at {sorted(looked_at)}, not at {sorted(wanted)}"


def check_reason(case: Case, data: bytes) -> str | None:
    """Which of a case's checks a file fails."""
    text = read_xml(data).text
    top = None
    for check in case.get("checks") or ():
        if "text_starts_with" in check:
            holds = text.startswith(check["text_starts_with"])
        elif "text_contains" in check:
            holds = check["text_contains"] in text
        else:
            top = etree.fromstring(text.encode("utf-8"), etree.XMLParser(encoding="utf-8")) if top is None else top
            holds = _holds(check, top)
        if not holds:
            return f"fails the check {check}"
    return None


def _holds(check: Case, top: etree._Element) -> bool:
    found = top.xpath(check["xpath"])
    if check.get("absent") and "attribute" not in check:
        return not found
    if not isinstance(found, list) or not found:
        return False
    node = found[0]
    assert isinstance(node, etree._Element)
    value = node.get(check["attribute"]) if "attribute" in check else "".join(map(str, node.itertext()))
    return value is None if check.get("absent") else value == check["equals"]
