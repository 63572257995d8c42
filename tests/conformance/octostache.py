"""Runs the cases of the `#{...}` language: one JSON object a line, each an operation on a set of variables."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

import yaml

from agent.errors import DockwrightError, RecursionInVariables
from agent.variables import Variable, Variables, read_variables, write_variables
from agent.variables.octostache import TemplateError, argument_names, parse, token_text, tokens_text
from agent.variables.octostache.syntax import Conditional, Repetition, Substitution, Text, Token
from tests.conformance.result import AreaResult

Case = Mapping[str, Any]
QUIRKS_PER_CASE = 0.03


def run(folder: Path) -> AreaResult:
    """Every case of every `*.jsonl` in the folder."""
    passed = 0
    failed: list[tuple[str, str]] = []
    quirks: list[tuple[str, str]] = []
    for line in _lines(folder):
        name, reason, quirk = _outcome(line)
        if reason is not None:
            failed.append((name, reason))
            continue
        passed += 1
        if quirk is not None:
            quirks.append((name, quirk))
    allowed = ceil((passed + len(failed)) * QUIRKS_PER_CASE)
    failed += [(name, f"one quirk too many: {quirk}") for name, quirk in quirks[allowed:]]
    passed -= len(quirks[allowed:])
    return AreaResult(area="octostache", passed=passed, failed=tuple(failed), quirks=tuple(quirks[:allowed]))


def _outcome(line: str) -> tuple[str, str | None, str | None]:
    """The case's id, why it fails if it does, and what ours does better if it passes by that."""
    try:
        case: Case = json.loads(line)
        name = str(case["id"])
    except (ValueError, KeyError) as error:
        return line[:40], f"not a case: {error}", None
    quirk = _quirk(case)
    return (name, None, quirk) if quirk else (name, _reason(case), None)


def _quirk(case: Case) -> str | None:
    """Where the reference throws on a value or an option, ours echoes the token and reports an error."""
    if case.get("op") != "evaluate" or case.get("throws") in (None, "RecursiveDefinitionException"):
        return None
    try:
        evaluation = _variables(case).evaluate(case["template"], case.get("halt_on_error", True))
    except DockwrightError:
        return None
    if evaluation.error is None or evaluation.value is None:
        return None
    return f"the token is echoed with an error, where the reference throws {case['throws']}"


def _lines(folder: Path) -> list[str]:
    files = sorted(folder.glob("*.jsonl"))
    return [line for file in files for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def _reason(case: Case) -> str | None:
    """Why the case fails; None if it does not."""
    operation = _OPERATIONS.get(case.get("op", ""))
    if operation is None:
        return f"the runner has no operation {case.get('op')}"
    try:
        reason = operation(case, _variables(case))
    except DockwrightError as error:
        return _thrown(case, error)
    except Exception as error:  # a defect is a failed case, and the run goes on
        return f"{type(error).__name__}: {error}"
    if case.get("throws"):
        return f"should fail with {case['throws']}"
    return reason


def _variables(case: Case) -> Variables:
    return Variables.of(case["variables"], source="case")


def _thrown(case: Case, error: DockwrightError) -> str | None:
    if not case.get("throws"):
        return f"failed: {error}"
    if isinstance(error, RecursionInVariables) != (case["throws"] == "RecursiveDefinitionException"):
        return f"failed as {type(error).__name__}"
    return None if case.get("error") in (True, None, str(error)) else f"failed with: {error}"


def _evaluate(case: Case, variables: Variables) -> str | None:
    evaluation = variables.evaluate(case["template"], case.get("halt_on_error", True))
    value = evaluation.value
    if case.get("post") == "trim" and value is not None:
        value = value.strip()
    return _compared(case, value) or _error_compared(case, evaluation.error, evaluation.missing)


def _evaluate_with_extension(case: Case, variables: Variables) -> str | None:
    extension = case["extension"]
    filters = {extension["name"]: _extension(extension["name"])}
    given = [found for name in variables if (found := variables.variable(name))]
    return _evaluate(case, Variables(given, filters))


def _extension(name: str) -> Callable[[str | None, tuple[str, ...]], str | None]:
    """The two that the reference's tests register."""

    def lower(value: str | None, options: tuple[str, ...]) -> str | None:
        return None if value is None or options else value.lower()

    def places(value: str | None, options: tuple[str, ...]) -> str | None:
        return None if value is None else "-".join(str(ord(each) - 64) for each in value.upper())

    return {"testFunc": lower, "supercoolfunc": places}[name]


def _evaluate_yaml_key(case: Case, variables: Variables) -> str | None:
    text = variables.evaluate(case["template"]).value
    return _compared(case, yaml.safe_load(text or "")["Key"])


def _evaluate_dynamic(case: Case, variables: Variables) -> str | None:
    value = variables.evaluate(case["template"]).value or ""
    expected = case["expected"]
    now = datetime.now(UTC) if expected.get("zone") == "utc" else datetime.now()  # noqa: DTZ005
    if expected["kind"] == "strftime_now":
        return _differs(now.strftime(expected["strftime"]), value)
    if expected["kind"] == "local_utc_offset_hours":
        return _differs(datetime.now().astimezone().strftime("%z")[:3], value)
    if expected["kind"] != "datetime_close_to_now":
        return f"the runner knows no {expected['kind']}"
    shown = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})\d(Z?)", value)
    if shown is None or bool(shown[2]) != (expected["zone"] == "utc"):
        return f"got {value}"
    wanted = now.replace(tzinfo=None) + timedelta(hours=expected["offset_hours"])
    off = abs((datetime.fromisoformat(shown[1]) - wanted).total_seconds())
    return None if off <= expected["tolerance_seconds"] else f"{off} s off"


def _get(case: Case, variables: Variables) -> str | None:
    value = variables.get(case["name"], case.get("default"))
    raw = variables.get_raw(case["name"]) or ""
    evaluation = variables.evaluate(raw)
    return _compared(case, value) or _error_compared(case, evaluation.error, evaluation.missing)


def _save_load_get(case: Case, variables: Variables) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "variables.json"
        path.write_text(variables.as_json(), encoding="utf-8-sig")
        return _get(case, Variables(read_variables(path, None)))


def _script(case: Case, variables: Variables) -> str | None:
    """A dictionary that is bound to a file: here, a set of variables is replaced and written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "variables.json"
        known = {"parent": variables}
        for step in case["steps"]:
            reason = _step(step, known, path)
            if reason is not None:
                return f"step {step['do']}: {reason}"
    return None


def _step(step: Case, known: dict[str, Variables], path: Path) -> str | None:
    name = step["dict"]
    if step["do"] == "save":
        path.write_text(known[name].as_json(), encoding="utf-8-sig")
    elif step["do"] == "load":
        known[name] = Variables(read_variables(path, None))
    elif step["do"] == "reload":
        known[name] = known[name].merged(read_variables(path, None))
    elif step["do"] == "set":
        known[name] = known[name].merged([Variable(step["name"], step["value"])])
        write_variables(path, (found for each in known[name] if (found := known[name].variable(each))), None)
    elif step["do"] == "get":
        return _differs(step["expected"], known[name].get(step["name"]))
    else:
        return "unknown"
    return None


def _try_parse(case: Case, variables: Variables) -> str | None:
    try:
        template = parse(case["template"], case.get("halt_on_error", True))
    except TemplateError:
        return None if case["expected"] is False else "does not parse"
    if case["expected"] is not True:
        return "parses"
    if "to_string" in case and (reason := _differs(case["to_string"], tokens_text(template.tokens))):
        return reason
    if "token_strings" in case:
        return _differs(case["token_strings"], [_named(token) for token in template.tokens])
    return None


def _named(token: Token) -> str:
    names = {
        Text: "TextToken",
        Substitution: "SubstitutionToken",
        Conditional: "ConditionalToken",
        Repetition: "RepetitionToken",
    }
    return f"{names.get(type(token), 'CalculationToken')}:{token_text(token)}"


def _parse_error(case: Case, variables: Variables) -> str | None:
    try:
        parse(case["template"], case.get("halt_on_error", True))
    except TemplateError:
        return None if case["expected"] else "does not parse"
    return "parses" if case["expected"] else None


def _parse_to_string(case: Case, variables: Variables) -> str | None:
    return _compared(case, tokens_text(parse(case["template"]).tokens))


def _argument_names(case: Case, variables: Variables) -> str | None:
    return _compared(case, list(argument_names(parse(case["template"]))))


def _require(case: Case, variables: Variables) -> str | None:
    return _compared(case, variables.require(case["name"]))


_OPERATIONS: Mapping[str, Callable[[Case, Variables], str | None]] = {
    "evaluate": _evaluate,
    "evaluate_dynamic": _evaluate_dynamic,
    "evaluate_truthy": lambda case, variables: _compared(case, variables.is_truthy(case["template"])),
    "evaluate_with_extension": _evaluate_with_extension,
    "evaluate_yaml_key": _evaluate_yaml_key,
    "get": _get,
    "get_flag": lambda case, variables: _compared(case, variables.flag(case["name"], case.get("default", False))),
    "get_indexes": lambda case, variables: _compared(case, list(variables.indexes(case["name"]))),
    "get_int32": lambda case, variables: _compared(case, variables.int32(case["name"])),
    "get_raw": lambda case, variables: _compared(case, variables.get_raw(case["name"])),
    "get_strings": lambda case, variables: _compared(case, list(variables.strings(case["name"]))),
    "get_paths": lambda case, variables: _compared(case, list(variables.paths(case["name"]))),
    "require": _require,
    "save_as_string": lambda case, variables: _compared(case, variables.as_json()),
    "save_load_get": _save_load_get,
    "script": _script,
    "try_parse": _try_parse,
    "parse_error": _parse_error,
    "parse_to_string": _parse_to_string,
    "argument_names": _argument_names,
}


def _compared(case: Case, value: object) -> str | None:
    if value in case.get("expected_any", ()):
        return None
    if case.get("unordered") and isinstance(value, list):
        return _differs(sorted(case["expected"]), sorted(value))
    return _differs(case["expected"], value)


def _differs(expected: object, value: object) -> str | None:
    same = expected == value and type(expected) is type(value)
    return None if same else f"expected {expected!r}, got {value!r}"[:300]


def _error_compared(case: Case, error: str | None, missing: tuple[str, ...]) -> str | None:
    expected = case.get("error")
    if bool(expected) != bool(error):
        return f"expected {'an' if expected else 'no'} error, got {error!r}"
    if isinstance(expected, str) and missing and expected != error:
        return f"expected the error {expected!r}, got {error!r}"
    return None
