"""Structured configuration variables over a tree: which files, and which format each of them is. As Calamari."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Final, Literal, Protocol, cast

import msgspec

from agent.errors import TransformError
from agent.transform.changes import Change, FeatureResult, NoMatch, settle
from agent.transform.files import Workspace
from agent.transform.messages import Message, info, kept_on_failure, verbose
from agent.transform.settings import StructuredRules, Target
from agent.transform.structured.candidates import Candidates
from agent.transform.structured.formats import FormatName, ParseFailure, Replace
from agent.variables import Variables

_BY_SUFFIX: Final[dict[str, FormatName]] = {
    ".json": "Json",
    ".xml": "Xml",
    ".yml": "Yaml",
    ".yaml": "Yaml",
    ".properties": "Properties",
}
_ALL: Final[tuple[FormatName, ...]] = ("Json", "Xml", "Yaml", "Properties")
_MODULES: Final[dict[FormatName, str]] = {
    "Json": "json",
    "Xml": "xml",
    "Yaml": "yaml",
    "Properties": "properties",
}


def apply(workspace: Workspace, rules: StructuredRules, variables: Variables) -> FeatureResult:
    """Replace values in every file that the targets name. A file of no known format fails the run."""
    run = _Run(workspace=workspace, rules=rules, names=Candidates(variables))
    with kept_on_failure(run.messages):
        for target in rules.targets:
            _apply_target(run, target)
    return FeatureResult(changes=tuple(run.changes), unmatched=tuple(run.unmatched), messages=tuple(run.messages))


class _Run(msgspec.Struct, kw_only=True):
    """What has been said and done so far."""

    workspace: Workspace
    rules: StructuredRules
    names: Candidates
    changes: list[Change] = []
    unmatched: list[NoMatch] = []
    messages: list[Message] = []

    def miss(self, target: Target, reason: str, default: Literal["info", "warn"]) -> None:
        unmatched = NoMatch(feature="structured", rule=target.pattern, reason=reason)
        self.unmatched.append(unmatched)
        self.messages += settle(unmatched, target.no_match, default)


def _apply_target(run: _Run, target: Target) -> None:
    if run.workspace.is_folder(target.pattern):
        reason = f"Skipping structured variable replacement on '{target.pattern}' because it is a directory."
        run.miss(target, reason, "warn")
        return
    files = run.workspace.find(target.pattern)
    if not files:
        run.miss(target, f"No files were found that match the replacement target pattern '{target.pattern}'", "warn")
        return
    if not sum(_apply_file(run, path) for path in files) and target.no_match in {"warn", "fail"}:
        run.miss(target, f"No variable names a structure in the files that match '{target.pattern}'", "info")


def _apply_file(run: _Run, path: Path) -> int:
    """Replace in one file by the first format that parses; the number of places that variables named."""
    name = run.workspace.name(path)
    formats, why = _formats_for(name, json_only=run.rules.json_only)
    run.messages += why
    data = run.workspace.read(path)
    for format_ in formats:
        run.messages.append(
            verbose(f"Attempting structured variable replacement on file {name} with format {format_}")
        )
        try:
            replaced = _replace(format_)(data, run.names, name)
        except ParseFailure as failure:
            run.messages.append(verbose(f"The file at {name} couldn't be parsed as {format_}: {failure}"))
            if format_ == formats[-1]:
                raise TransformError(_unparsable(name, format_, failure)) from failure
        else:
            if replaced.data is not data:
                run.workspace.write(path, replaced.data)
            run.changes += replaced.changes
            run.messages += replaced.messages
            run.messages.append(
                info(f"Structured variable replacement succeeded on file {name} with format {format_}")
            )
            return replaced.matched
    return 0


def _formats_for(name: str, *, json_only: bool) -> tuple[Sequence[FormatName], list[Message]]:
    if json_only:
        said = (
            "The Octopus.Action.StructuredConfigurationFallbackFlag flag is set. "
            f"The file at {name} will be parsed as JSON."
        )
        return ("Json",), [verbose(said)]
    known = _BY_SUFFIX.get(PurePosixPath(name).suffix.lower())
    formats: Sequence[FormatName]
    if known == "Json":
        formats = ("Json",)
        said = f"The file at {name} matches a known filename pattern, and will be treated as Json."
    elif known is not None:
        formats = ("Json", known)
        said = (
            f"The file at {name} matches a known filename pattern, and will be treated as {known}. "
            "The file will be tried as Json first for backwards compatibility."
        )
    else:
        formats = _ALL
        said = (
            f"The file at {name} does not match any known filename patterns. The file will be tried as multiple "
            "formats and will be treated as the first format that can be successfully parsed."
        )
    order = f"The registered replacers we will try, in order, are: {', '.join(formats)}"
    return formats, [verbose(said), verbose(order)]


def _unparsable(name: str, format_: FormatName, failure: ParseFailure) -> str:
    return (
        f"Structured variable replacement failed on file {name}. The file could not be parsed as {format_}: "
        f"{failure} See verbose logs for more details."
    )


class _FormatModule(Protocol):
    @property
    def replace(self) -> Replace: ...


def _replace(format_: FormatName) -> Replace:
    name = f"agent.transform.structured.{_MODULES[format_]}"
    try:
        return cast(_FormatModule, import_module(name)).replace
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise TransformError(f"structured variables in {format_} files are not part of this build") from error
