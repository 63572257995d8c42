""".NET configuration transforms: `web.Release.config` and its kind, applied to the files of a tree. As Calamari.

What no transform touches stays as it is written, byte for byte.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agent.errors import TransformError
from agent.transform.changes import Change, FeatureResult
from agent.transform.config_definitions import PathStyle
from agent.transform.config_plan import Application, plan
from agent.transform.files import Workspace
from agent.transform.messages import Level, Message, error, kept_on_failure, verbose, warn
from agent.transform.settings import ConfigTransformRules
from agent.transform.xdt.document import XdtResult, transform_document
from agent.transform.xdt.report import XdtFatal, XdtMessage
from agent.variables import Variables

_NOTICES = {
    "suppress": "XML transformation logging is suppressed.",
    "ignore": "Errors of XML transformations are logged as warnings, and their warnings as information.",
    "strict": (
        "Warnings of XML transformations are treated as errors. To change that, set the variable "
        "Octopus.Action.Package.TreatConfigTransformationWarningsAsErrors to False."
    ),
}


def apply(workspace: Workspace, rules: ConfigTransformRules, variables: Variables) -> FeatureResult:  # noqa: ARG001
    """Apply every transform that a definition, or the naming convention, finds for a file.

    TransformError if one fails, or (by default) warns; the files are then as they were.
    """
    run = _Run(workspace=workspace, rules=rules)
    with kept_on_failure(run.messages):
        planned = plan(WorkspaceTree(workspace), rules)
        for step in planned.steps:
            if isinstance(step, Message):
                run.messages.append(step)
            else:
                _apply_one(run, step)
    run.messages += planned.closing
    return FeatureResult(
        changes=tuple(run.changes),
        unmatched=tuple(planned.unmatched),
        messages=tuple(run.messages),
        used_as_transforms=tuple(dict.fromkeys(Path(step.transform) for step in planned.applications)),
    )


class WorkspaceTree:
    """`FileTree` over a workspace: nothing outside of it is found."""

    style = PathStyle(system="windows" if os.sep == "\\" else "posix")

    def __init__(self, workspace: Workspace) -> None:
        self.root = str(workspace.root)
        self._workspace = workspace
        self._folders: dict[str, dict[str, None]] = {}
        for path in self.files():
            folder, name = self.style.split(path)
            self._folders.setdefault(folder, {})[name] = None

    def names(self, folder: str) -> Collection[str] | None:
        """The names of the files directly in a folder; None if it is not in the workspace."""
        return self._folders.get(folder)

    def files(self) -> Iterator[str]:
        """Every file, the tree's own first."""
        for root in self._workspace.roots:
            for name in self._workspace.listing(root):
                yield str(root / name)


def engine_level(event: Literal["warning", "error"], rules: ConfigTransformRules) -> Level:
    """At which level a warning or an error of the engine is logged."""
    if event == "error":
        return "warn" if rules.ignore_errors else "error"
    if rules.ignore_errors:
        return "info"
    return "error" if rules.warnings_as_errors else "warn"


@dataclass(kw_only=True)
class _Run:
    """What has been said and done so far."""

    workspace: Workspace
    rules: ConfigTransformRules
    changes: list[Change] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)


def _apply_one(run: _Run, step: Application) -> None:
    _notice(run)
    try:
        _transform(run, step)
    except TransformError:
        source = run.workspace.name(Path(step.source))
        wild = "wildcard " if step.definition.is_transform_wildcard else ""
        run.messages.append(
            error(f"Could not transform the file '{source}' using the {wild}pattern '{step.definition.transform}'.")
        )
        raise


def _notice(run: _Run) -> None:
    notices = {
        "suppress": run.rules.suppress_logging,
        "ignore": run.rules.ignore_errors,
        "strict": run.rules.warnings_as_errors and not run.rules.ignore_errors,
    }
    run.messages += [verbose(_NOTICES[name]) for name, applies in notices.items() if applies]


def _transform(run: _Run, step: Application) -> None:
    source, transform = Path(step.source), Path(step.transform)
    try:
        result = transform_document(
            run.workspace.read(source),
            run.workspace.read(transform),
            source_name=run.workspace.name(source),
            transform_name=run.workspace.name(transform),
            layout="kept",
        )
    except XdtFatal as failure:
        run.messages += _engine_messages(failure.messages, run.rules)
        if not run.rules.ignore_errors:
            raise
        run.messages.append(warn(str(failure)))
        return
    run.messages += _engine_messages(result.messages, run.rules)
    if _failed(result, run.rules):
        if run.rules.ignore_errors:
            return
        names = run.workspace.name(source), run.workspace.name(transform)
        raise TransformError(
            f"The XML configuration file {names[0]} failed with transformation file {names[1]}. "
            f"Correct the transform, or set Octopus.Action.Package.{_cure(result)}."
        )
    if not result.has_root:
        said = (
            f"The XML configuration file {step.source} no longer has a root element and is invalid after being "
            f"transformed by {step.transform}"
        )
        run.messages.append(Message(level=engine_level("warning", run.rules), text=said))
    run.changes += result.changes
    run.workspace.write(source, result.output)


def _failed(result: XdtResult, rules: ConfigTransformRules) -> bool:
    return bool(result.errors) or (bool(result.warnings) and rules.warnings_as_errors and not rules.ignore_errors)


def _cure(result: XdtResult) -> str:
    if result.errors:
        return "IgnoreConfigTransformationErrors to True"
    return "TreatConfigTransformationWarningsAsErrors to False"


def _engine_messages(messages: Sequence[XdtMessage], rules: ConfigTransformRules) -> list[Message]:
    said = []
    for message in messages:
        if message.level in {"warning", "error"}:
            event: Literal["warning", "error"] = "warning" if message.level == "warning" else "error"
            said.append(Message(level=engine_level(event, rules), text=str(message)))
        elif not rules.suppress_logging:
            said.append(verbose(str(message)))
    return said
