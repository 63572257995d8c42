"""The step bundle: a folder or a `.zip` with a `step.yaml`, opened into one typed value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from agent.documents import read_document
from agent.errors import InputError, PackageError
from agent.packages import FeedSettings, PackageReference, extract

MANIFEST = "step.yaml"
STAGED = "packages"
BUILT_IN = "built-in"


class StepManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """`step.yaml`: which step, its inputs (the step's own type decodes them), the packages and their feeds."""

    step: str
    inputs: dict[str, Any] = {}
    packages: list[PackageReference] = []
    feeds: dict[str, FeedSettings] = {}


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """An opened bundle: `root` holds its files; `name` is what messages call it."""

    name: str
    root: Path
    manifest: StepManifest


def open_bundle(path: Path, work: Path) -> Bundle:
    """Open a bundle; a `.zip` is extracted below `work`, a folder is only read.

    InputError if it is missing, unreadable, not a bundle, or wants what this agent does not allow.
    """
    root = _extracted(path, work) if path.is_file() else path
    if not root.exists():
        raise InputError(f"there is no bundle at {path}; give the folder or .zip that holds {MANIFEST}")
    if not (root / MANIFEST).is_file():
        raise InputError(f"{path} is not a bundle: it has no {MANIFEST} at its top")
    manifest = read_document(root / MANIFEST, StepManifest)
    _refuse_plugin(root)
    _require_distinct(manifest)
    return Bundle(name=path.name, root=root, manifest=_with_built_in(manifest, root))


def check_bundle(folder: Path) -> None:
    """InputError unless the folder could be packed as a bundle."""
    manifest = read_document(folder / MANIFEST, StepManifest)
    _require_distinct(manifest)


def _extracted(path: Path, work: Path) -> Path:
    into = work / "bundle"
    try:
        extract(path, into)
    except PackageError as error:
        raise InputError(f"the bundle {path.name} cannot be opened: {error}") from error
    return into


def _refuse_plugin(root: Path) -> None:
    if (root / "plugin").exists():
        raise InputError(
            "the bundle brings code in plugin/, and this agent trusts no signature that would allow it to run; "
            "install the step on the agent instead"
        )


def _require_distinct(manifest: StepManifest) -> None:
    seen: set[str] = set()
    for reference in manifest.packages:
        if reference.name.lower() in seen:
            raise InputError(f"{MANIFEST}: packages: the name '{reference.name}' is given twice")
        seen.add(reference.name.lower())


def _with_built_in(manifest: StepManifest, root: Path) -> StepManifest:
    """Staged packages need no feed written out: `built-in` is the bundle's own folder unless it says otherwise."""
    if BUILT_IN in manifest.feeds or not (root / STAGED).is_dir():
        return manifest
    built_in = FeedSettings(type="folder", uri=f"./{STAGED}")
    return msgspec.structs.replace(manifest, feeds={BUILT_IN: built_in, **manifest.feeds})
