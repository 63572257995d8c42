"""The configuration features on a tree, with the package's hooks around them, told and noted."""

from __future__ import annotations

from pathlib import Path

from agent.scripts import Hooks
from agent.step import StepContext
from agent.transform import Change, Transformed, TransformFailure, TransformSettings, tell, transform

MASK = "********"


def configure(tree: Path, settings: TransformSettings | None, hooks: Hooks, context: StepContext) -> Transformed:
    """PreDeploy and the features; Deploy, which comes next (order as Calamari), is the caller's.

    TransformFailure where a feature fails, its messages told.
    """
    hooks.run("PreDeploy")
    try:
        transformed = transform(tree, settings, hooks.variables)
    except TransformFailure as failure:
        tell(failure.messages, context.report)
        raise
    tell(transformed.messages, context.report)
    context.report.detail(transformed.summary)
    return transformed


def note_changes(transformed: Transformed, context: StepContext) -> None:
    """Keep in the journal what was changed, without secrets."""
    context.journal.changes([_row(change) for change in transformed.changes])


def _row(change: Change) -> tuple[str, str, str, str, str | None, str | None]:
    old, new = (MASK, MASK) if change.sensitive else (change.old, change.new)
    return change.feature, change.file, change.place, change.rule, old, new
