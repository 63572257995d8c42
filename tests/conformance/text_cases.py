"""The cases of the text areas of `config/`: what each holds, a place to run it in, and a loop that never stops."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from agent.variables import Variables
from tests.conformance.result import AreaResult


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A message that must be, must not be, or must be so often, in the log."""

    level: str
    text: str
    match: str
    count: int = 1


class Encoding(msgspec.Struct, frozen=True, kw_only=True):
    """The encoding that a file should be found to have."""

    name: str
    bom: bool


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a resulting file must hold."""

    text_contains: str = ""
    text_starts_with: str = ""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One `case.json`."""

    kind: str
    variables: dict[str, str | None]
    compare: str
    expect_error: bool
    input: str | None = None
    input_dir: str | None = None
    targets: tuple[str, ...] | None = None
    files: tuple[str, ...] = ()
    current_directory: str | None = None
    expected: str | dict[str, str] | None = None
    expect_log: tuple[LogEntry, ...] = ()
    reject_log: tuple[LogEntry, ...] = ()
    log_counts: tuple[LogEntry, ...] = ()
    error_contains: tuple[str, ...] = ()
    error_matches: tuple[str, ...] = ()
    expect_processed: tuple[str, ...] | None = None
    expect_run: bool | None = None
    expect_encoding: Encoding | None = None
    expect_text_contains: tuple[str, ...] = ()
    expect_match_count: int | None = None
    expect_match_names_include: tuple[str, ...] = ()
    expect_only_files: bool = False
    checks: tuple[Check, ...] = ()


class CaseFailed(Exception):  # noqa: N818  a verdict
    """Why a case failed, in one line."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A case that passed; `exact` if in every way that it asks to compare."""

    exact: bool = False


def run_cases(folder: Path, judge: Callable[[Path, Case], Verdict]) -> AreaResult:
    """Every case of an area. Whatever goes wrong in one, even a defect of ours, fails that one only."""
    passed, exact, failed = 0, 0, []
    for file in sorted(folder.glob("*/case.json")):
        try:
            verdict = judge(file.parent, msgspec.json.decode(file.read_bytes(), type=Case))
        except Exception as error:
            reason = " ".join(str(error).split())
            kind = "" if isinstance(error, CaseFailed) else f"{type(error).__name__}: "
            failed.append((file.parent.name, kind + reason))
        else:
            passed += 1
            exact += verdict.exact
    return AreaResult(area=f"config/{folder.name}", passed=passed, failed=tuple(failed), exact=exact)


def require(condition: object, reason: str) -> None:
    """CaseFailed with the reason unless the condition holds."""
    if not condition:
        raise CaseFailed(reason)


def case_variables(case: Case, folder: Path) -> Variables:
    """The case's variables; `{DIR}` is the folder that holds its files."""
    return Variables.of(
        {
            name: value if value is None else value.replace("{DIR}", folder.as_posix())
            for name, value in case.variables.items()
        }
    )


@contextmanager
def tree_of(path: Path, case: Case) -> Iterator[Path]:
    """A copy of the case's input files in a folder of its own; they can be written, whatever the case's can."""
    with TemporaryDirectory() as folder:
        tree = Path(folder).resolve() / "tree"
        if case.input_dir is not None:
            shutil.copytree(path / case.input_dir, tree, copy_function=shutil.copyfile)
        else:
            tree.mkdir()
        if case.input is not None:
            shutil.copyfile(path / case.input, tree / case.input)
        yield tree


def expected_files(case: Case) -> dict[str, str]:
    """What the files of the tree should be: their names, and the case's own files that hold it."""
    if isinstance(case.expected, str):
        assert case.input is not None
        return {case.input: case.expected}
    return case.expected or {}
