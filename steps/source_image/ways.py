"""How the image is made: built as a whole, or as one layer on top of an image that is there already.

Decided before the first side effect, so that a plan can tell, and why.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.images import Changes, Doubt, Found, Rewritten
from agent.images.placement import Placement, place
from agent.packages import AcquiredPackage
from agent.registry import ImageReference, tag_from
from agent.step import StepContext
from agent.transform import ChangedFile, Transformed
from steps.source_image.golden import Golden
from steps.source_image.manifest import Recipe, SourceImage


@dataclass(frozen=True, kw_only=True)
class FullBuild:
    """The tree is built as it now is."""

    reason: str

    def __str__(self) -> str:
        return f"full build: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class OnRelease:
    """A layer on the image of the untransformed packages, which all environments share.

    `key` is the hash of all that goes into that image; `files` are the new contents by path in the
    image, `changed` the files of the tree that they come from, some of which the image may not have.
    """

    release: ImageReference
    key: str
    bases: tuple[str, ...]
    files: Mapping[str, Rewritten]
    changed: tuple[ChangedFile, ...]
    only: bool = False
    """Whether nothing else will do: where no file is configured, the release's very image is deployed."""

    def __str__(self) -> str:
        name = f"{self.release.repository.rpartition('/')[2]}:{self.release.tag}"
        if self.only and not self.files:
            return f"the release's own image {name}, by its digest; only environment variables configure it"
        return f"one layer over {name}: {_counted(len(self.files))}; no RUN sees them"


@dataclass(frozen=True, kw_only=True)
class OnGolden:
    """A layer on the golden image."""

    golden: Golden
    found: Found
    changes: Changes

    def __str__(self) -> str:
        resolved = self.golden.resolved
        where = "" if self.golden.base else ", which only the host has"
        if not self.changes.paths:
            return f"{resolved.image} ({resolved.digest[:19]}{where}), as it is"
        return f"one layer over {resolved.image} ({resolved.digest[:19]}{where}): {_counted(len(self.changes.paths))}"


Way = FullBuild | OnRelease | OnGolden


def choose_way(
    recipe: Recipe,
    source: SourceImage,
    packages: tuple[AcquiredPackage, ...],
    tree: Path,
    transformed: Transformed,
    context: StepContext,
) -> FullBuild | OnRelease:
    """One layer wherever that is certain to make the same file system as a full build."""
    own = _builds_own(recipe)
    changed = {
        file.path: file for file in transformed.files if file.path not in own and not file.path.startswith("/")
    }
    windows = recipe.build.platform.startswith("windows") or (
        not recipe.build.platform and context.host.platform().os == "windows"
    )
    placed = place(tree, recipe.build, tuple(changed), "windows" if windows else "linux")
    if isinstance(placed, Doubt):
        return FullBuild(reason=placed.reason)
    key = _key(recipe, packages, tree)
    return OnRelease(
        release=_release_reference(source, str(packages[0].version), key, context),
        key=key,
        bases=placed.bases,
        files=_by_place(placed, changed),
        changed=tuple(changed.values()),
    )


def _by_place(placed: Placement, changed: Mapping[str, ChangedFile]) -> dict[str, Rewritten]:
    return {
        path: Rewritten(before=changed[name].before, after=changed[name].after)
        for name, paths in placed.paths.items()
        for path in paths
    }


def _builds_own(recipe: Recipe) -> tuple[str, ...]:
    """What the build itself reads: where these differ, so do the releases."""
    return recipe.build.dockerfile.replace("\\", "/").removeprefix("./"), ".dockerignore"


def _key(recipe: Recipe, packages: tuple[AcquiredPackage, ...], tree: Path) -> str:
    read = [(tree / name).read_bytes() for name in _builds_own(recipe) if (tree / name).is_file()]
    content = [
        [(p.sha256, p.reference.extract_to or p.reference.name, *p.reference.variant) for p in packages],
        [hashlib.sha256(data).hexdigest() for data in read],
        recipe.build.fingerprint,
    ]
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()


def _release_reference(source: SourceImage, version: str, key: str, context: StepContext) -> ImageReference:
    """`registry/repository:{release}-pkg-{hash}`, the same for all environments."""
    tag = tag_from(f"{(context.deployment.release or version)[:100]}-pkg-{key[:12]}")
    prefix = f"{source.registry}/" if source.registry else ""
    return ImageReference.parse(f"{prefix}{source.repository}:{tag}")


def _counted(files: int) -> str:
    return f"{files} file{'' if files == 1 else 's'}"
