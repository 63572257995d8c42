"""The step bundle: a folder or a `.zip` with a `step.yaml`, opened into one typed value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from agent.documents import read_document
from agent.errors import InputError, PackageError
from agent.packages import FeedSettings, PackageReference, extract
from agent.signing import Sequences, Signers, verify

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
    plugin: Path | None = None
    """A wheel in the bundle that provides its step."""


@dataclass(frozen=True, kw_only=True)
class BundleTrust:
    """Whose bundles are taken: anybody's unless a signature is `required`. `sequences` remembers the last ones."""

    signers: Signers | None = None
    sequences: Sequences | None = None
    required: bool = False

    @classmethod
    def under(cls, home: Path, *, required: bool) -> BundleTrust:
        """The keys that are trusted under a home."""
        folder = home / "service"
        return cls(
            signers=Signers(folder / "signers.json"), sequences=Sequences(folder / "bundles.json"), required=required
        )


def open_bundle(path: Path, work: Path, trust: BundleTrust | None = None) -> Bundle:
    """Open a bundle; a `.zip` is extracted below `work`, a folder is only read.

    InputError if it is missing, unreadable, not a bundle, or wants what this agent does not allow: code in
    `plugin/` runs only if a trusted key has signed the bundle.
    """
    root = _extracted(path, work) if path.is_file() else path
    if not root.exists():
        raise InputError(f"there is no bundle at {path}; give the folder or .zip that holds {MANIFEST}")
    if not (root / MANIFEST).is_file():
        raise InputError(
            f"{path} is not a bundle: it has no {MANIFEST} at its top; see the README for what goes into one"
        )
    signed = _checked_signature(root, path.name, trust or BundleTrust())
    manifest = read_document(root / MANIFEST, StepManifest)
    _require_distinct(manifest)
    plugin = _plugin(root, signed=signed)
    return Bundle(name=path.name, root=root, manifest=_with_built_in(manifest, root), plugin=plugin)


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


def _checked_signature(root: Path, name: str, trust: BundleTrust) -> bool:
    """Whether a trusted key has signed the bundle. A signature by another key matters only where one is needed."""
    signers = trust.signers.all() if trust.signers else []
    if not trust.required and not signers:
        return False
    found = verify(root, signers)
    if found is None and trust.required:
        raise InputError(
            f"the bundle {name} is not signed, and this agent takes signed ones only; pack it with --sign"
        )
    if found is not None and trust.sequences is not None:
        trust.sequences.require_not_older(found[0])
    return found is not None


def _plugin(root: Path, *, signed: bool) -> Path | None:
    """The one wheel in `plugin/`. InputError unless the bundle is signed and the wheel is pure Python."""
    folder = root / "plugin"
    if not folder.exists():
        return None
    if not signed:
        raise InputError(
            "the bundle brings code in plugin/, and no key that is trusted here has signed it; "
            "install the step on the agent, or trust the bundle's signer"
        )
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1 or not wheels[0].name.endswith("-none-any.whl"):
        raise InputError("plugin/ in the bundle must hold one wheel of pure Python (its name ends in -none-any.whl)")
    return wheels[0]


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
