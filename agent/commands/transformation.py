"""`dockwright transform`: the configuration features on a folder, without a deployment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.errors import InputError
from agent.report import Report
from agent.source import SDI, read_source
from agent.transform import Transformed, TransformFailure, TransformSettings, tell, transform, unified_diff
from agent.transform.settings import ConfigTransformSettings
from agent.variables import Variables


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line asks for on top of the folder's `sdi.yaml` and the Octopus variables."""

    substitute: Sequence[str] = ()
    structured: Sequence[str] = ()
    config_transforms: bool = False
    config_variables: bool = False


def transform_folder(folder: Path, asked: Asked, variables: Variables, report: Report, *, write: bool) -> Transformed:
    """Transform the folder, or find out what would change, and tell what the features have to say."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give the one whose files are to be transformed")
    try:
        transformed = transform(folder, _settings(folder, asked), variables, write=write)
    except TransformFailure as failure:
        tell(failure.messages, report)
        raise
    tell(transformed.messages, report)
    return transformed


def change_lines(transformed: Transformed, report: Report) -> list[str]:
    """One line a change, secrets masked."""
    lines = [change.shown() for change in transformed.changes]
    return [report.masker.mask(line) for line in lines] + [transformed.summary]


def diff_lines(transformed: Transformed, report: Report) -> list[str]:
    """The changed files as unified diffs, secrets masked."""
    diffs = [unified_diff(file, report.masker.mask).splitlines() for file in transformed.files]
    return [line for lines in diffs for line in lines] or ["nothing would change"]


def _settings(folder: Path, asked: Asked) -> TransformSettings:
    known = (read_source(folder).transform if (folder / SDI).is_file() else None) or TransformSettings()
    changes: dict[str, object] = {}
    if asked.substitute:
        changes["substitute"] = tuple(asked.substitute)
    if asked.structured:
        changes["structured"] = tuple(asked.structured)
    if asked.config_transforms:
        changes["config_transforms"] = ConfigTransformSettings(automatic=True)
    if asked.config_variables:
        changes["config_variables"] = True
    return msgspec.structs.replace(known, **changes)
