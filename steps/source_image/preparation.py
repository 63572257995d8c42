"""acquire → extract → transform: everything that happens in the work folder, before any side effect."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.containers import CONFIGURATION, DEPLOYMENT, SLOT
from agent.errors import StorageError
from agent.labels import CHANGES
from agent.packages import Acquired, AcquiredPackage, ResolvedImage, acquire, acquire_all, extract, package_variables
from agent.registry import ImageReference
from agent.report.wording import size
from agent.scripts import Hooks
from agent.step import StepContext
from agent.transform import Transformed
from agent.variables import Variables
from steps.source_image.configuring import configure, note_changes
from steps.source_image.dockerfile import finish_dockerfile
from steps.source_image.golden import (
    Golden,
    Taken,
    container_name,
    find_golden,
    plan_container_name,
    take_files,
)
from steps.source_image.hooking import content_hash, open_hooks
from steps.source_image.manifest import Recipe, SourceImage, image_reference, read_recipe
from steps.source_image.ways import FullBuild, OnGolden, Way, choose_way

LABELLED_FILES = 50
EXPANSION = 8
"""How many times its size a package is taken to have unpacked, when room is looked for."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The tree that the image is built from, and all that is known about it."""

    source: SourceImage
    recipe: Recipe
    packages: tuple[AcquiredPackage, ...]
    images: tuple[ResolvedImage, ...]
    tree: Path
    transformed: Transformed
    reference: ImageReference
    configuration: str
    labels: Mapping[str, str]
    way: Way
    hooks: Hooks
    hooked: tuple[str, ...] = ()
    """The names of the hooks, those that ran before the image is built among them."""

    @property
    def identity(self) -> Mapping[str, str]:
        """Two images with this label alike have the same content."""
        return {CONFIGURATION: self.configuration}

    @property
    def container_labels(self) -> Mapping[str, str]:
        return {**self.labels, **self.identity}


def prepare(source: SourceImage, context: StepContext, *, planning: bool = False) -> Prepared:
    """Fetch, unpack and configure; nothing outside the work folder and the package cache is touched, unless by
    the package's own hooks, which a plan does not run."""
    recipe, acquired, golden = _acquire(source, context)
    packages = acquired.packages
    taken = _take(golden, recipe, source, context, planning=planning) if golden else None
    tree = taken.tree if taken else _extract(packages, context)
    hooks = open_hooks(source, tree, _known(acquired, tree, context), context, planning=planning)
    hooked = tuple(hooks.names())
    with hooks.watching():
        transformed = _configure(recipe, hooks, tree, context)
    context.journal.packages([*(_package_row(each) for each in packages), *map(_image_row, acquired.images)])
    note_changes(transformed, context)
    way: Way = FullBuild(reason="a hook may have changed any file")
    if taken:
        way = OnGolden(golden=taken.golden, found=taken.found, changes=taken.changes())
    elif not hooks.ran:
        way = choose_way(recipe, source, packages, tree, transformed, context)
    return Prepared(
        source=source,
        recipe=recipe,
        packages=packages,
        images=acquired.images,
        tree=tree,
        transformed=transformed,
        reference=image_reference(source, str(packages[0].version), context),
        configuration=_configuration(recipe, acquired, transformed, content_hash(tree) if hooks.ran else ""),
        labels=_labels(transformed, context),
        way=way,
        hooks=hooks,
        hooked=hooked,
    )


def _acquire(source: SourceImage, context: StepContext) -> tuple[Recipe, Acquired, Golden | None]:
    """The source package first, since it says which others it needs; these are then fetched together."""
    report = context.report
    with report.stage("acquire"):
        (main,) = acquire([source.source], context.feeds, context.cache, report.transfer)
        recipe = read_recipe(main, source, context)
        others = acquire_all(list(recipe.packages), context.feeds, context.cache, report.transfer)
        golden = find_golden(recipe, source, context) if recipe.golden else None
        packages = (main, *others.packages)
        images = (*others.images, golden.resolved) if golden else others.images
        report.detail(", ".join([*map(_described, packages), *(image.image for image in images)]))
        return recipe, Acquired(packages=packages, images=images), golden


def _take(golden: Golden, recipe: Recipe, source: SourceImage, context: StepContext, *, planning: bool) -> Taken:
    """The golden image's configuration files instead of a tree of packages."""
    with context.report.stage("extract"):
        name = plan_container_name(context) if planning else container_name(context)
        taken = take_files(golden, recipe.transform, source, context, name)
        context.report.detail(f"{len(taken.found.files)} of the image's files")
        return taken


def _extract(packages: tuple[AcquiredPackage, ...], context: StepContext) -> Path:
    """The tree: the source package, and each other one in its folder inside."""
    with context.report.stage("extract"):
        *better, last = context.scratch(sum(package.size for package in packages) * EXPANSION)
        for folder in better:
            with suppress(StorageError):
                return _unpack(packages, folder / "tree", context)
            context.discard(folder)
        return _unpack(packages, last / "tree", context)


def _unpack(packages: tuple[AcquiredPackage, ...], tree: Path, context: StepContext) -> Path:
    extracted = [extract(package, _folder(package, packages, tree)) for package in packages]
    files, written = sum(each.files for each in extracted), sum(each.bytes for each in extracted)
    context.report.detail(f"{files:,} files, {size(written)}")
    return tree


def _known(acquired: Acquired, tree: Path, context: StepContext) -> Variables:
    folders = {each.reference.name: _folder(each, acquired.packages, tree) for each in acquired.packages}
    return context.variables.merged(package_variables(acquired.packages, folders, acquired.images))


def _configure(recipe: Recipe, hooks: Hooks, tree: Path, context: StepContext) -> Transformed:
    with context.report.stage("transform"):
        transformed = configure(tree, recipe.transform, hooks, context)
        hooks.run("Deploy")
        if recipe.golden:
            return transformed
        return finish_dockerfile(tree, recipe.build, hooks.variables, transformed, context)


def _configuration(recipe: Recipe, acquired: Acquired, transformed: Transformed, hooked: str) -> str:
    """Hash of all that goes into the image. The packages' hashes stand for their files, unless hooks were at work."""
    content = [
        [(p.sha256, p.reference.extract_to or p.reference.name, *p.reference.variant) for p in acquired.packages],
        sorted((file.path, hashlib.sha256(file.after).hexdigest()) for file in transformed.files),
        recipe.build.fingerprint,
        *(image.digest for image in acquired.images if recipe.golden),
        *([hooked] if hooked else []),
    ]
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()


def _labels(transformed: Transformed, context: StepContext) -> dict[str, str]:
    deployment = context.deployment
    counted = Counter(change.file for change in transformed.changes)
    changes = ", ".join(f"{file} ({count})" for file, count in sorted(counted.items())[:LABELLED_FILES])
    return {**deployment.names, SLOT: deployment.slot, DEPLOYMENT: deployment.id, CHANGES: changes}


def _folder(package: AcquiredPackage, packages: tuple[AcquiredPackage, ...], tree: Path) -> Path:
    if package is packages[0]:
        return tree
    return tree / (package.reference.extract_to or package.reference.name)


def _described(package: AcquiredPackage) -> str:
    return f"{package.id} {package.version} ({size(package.size)})"


def _package_row(package: AcquiredPackage) -> tuple[str, str, str, str, int]:
    return package.reference.name, package.id, str(package.version), package.sha256, package.size


def _image_row(image: ResolvedImage) -> tuple[str, str, str, str, int]:
    """Its digest stands where a package's hash does; nothing of it is in the cache."""
    return image.name, image.id, image.version, image.digest.partition(":")[2], 0
