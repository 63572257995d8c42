"""Configuration features, in Calamari's order: substitute, config transforms, config variables, structured."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from msgspec import structs

from agent.errors import TransformError
from agent.transform.changes import Change, ChangedFile, FeatureResult, NoMatch, Transformed
from agent.transform.diff import unified_diff
from agent.transform.files import Workspace
from agent.transform.messages import Message, TransformFailure, tell
from agent.transform.settings import ResolvedTransforms, TransformSettings, settings_from
from agent.variables import Variables

__all__ = [
    "Change",
    "ChangedFile",
    "Message",
    "NoMatch",
    "TransformFailure",
    "TransformSettings",
    "Transformed",
    "tell",
    "transform",
    "unified_diff",
]


def transform(
    tree: Path, settings: TransformSettings | None, variables: Variables, *, write: bool = True
) -> Transformed:
    """Run the features that are on over a tree, and say what changed; without `write`, what would change.

    Nothing is written before all features have succeeded. TransformFailure carries the messages until then.
    """
    resolved = settings_from(settings, variables)
    workspace = Workspace(tree, resolved.additional_paths)
    results: list[FeatureResult] = []
    try:
        for result in _run(workspace, resolved, variables):
            results.append(result)  # noqa: PERF402  what came before a failure is kept
        files = workspace.commit() if write else workspace.changed()
    except TransformError as failure:
        said = [message for result in results for message in result.messages]
        said += failure.messages if isinstance(failure, TransformFailure) else ()
        raise TransformFailure(str(failure), messages=said, output=failure.output) from failure
    return Transformed(
        changes=tuple(change for result in results for change in result.changes),
        unmatched=tuple(unmatched for result in results for unmatched in result.unmatched),
        messages=tuple(message for result in results for message in result.messages),
        files=files,
    )


def _run(workspace: Workspace, resolved: ResolvedTransforms, variables: Variables) -> Iterator[FeatureResult]:
    """Each feature's result, in order. A feature's module is loaded only when it is on: some load lxml."""
    if resolved.substitute is not None:
        yield _feature("substitute").apply(workspace, resolved.substitute, variables)
    skip: tuple[Path, ...] = ()
    if resolved.config_transforms is not None:
        result = _feature("config_transforms").apply(workspace, resolved.config_transforms, variables)
        skip = result.used_as_transforms
        yield result
    if resolved.config_variables is not None:
        rules = structs.replace(resolved.config_variables, skip=skip)
        yield _feature("config_variables").apply(workspace, rules, variables)
    if resolved.structured is not None:
        yield _feature("structured").apply(workspace, resolved.structured, variables)


class _FeatureModule(Protocol):
    def apply(self, workspace: Workspace, rules: object, variables: Variables) -> FeatureResult: ...


def _feature(name: str) -> _FeatureModule:
    module = f"agent.transform.{name}"
    try:
        return cast(_FeatureModule, import_module(module))
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise TransformError(
            f"the feature '{name.replace('_', '-')}' is not part of this build; turn it off"
        ) from error
