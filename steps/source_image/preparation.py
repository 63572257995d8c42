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
from agent.packages import AcquiredPackage, acquire, extract, package_variables
from agent.registry import ImageReference
from agent.report.wording import size
from agent.step import StepContext
from agent.transform import Change, Transformed, TransformFailure, tell, transform
from agent.variables import Variable
from steps.source_image.manifest import Recipe, SourceImage, image_reference, read_recipe

MASK = "********"
LABELLED_FILES = 50
EXPANSION = 8
"""How many times its size a package is taken to have unpacked, when room is looked for."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The tree that the image is built from, and all that is known about it."""

    source: SourceImage
    recipe: Recipe
    packages: tuple[AcquiredPackage, ...]
    tree: Path
    transformed: Transformed
    reference: ImageReference
    configuration: str
    labels: Mapping[str, str]

    @property
    def identity(self) -> Mapping[str, str]:
        """Two images with this label alike have the same content."""
        return {CONFIGURATION: self.configuration}

    @property
    def container_labels(self) -> Mapping[str, str]:
        return {**self.labels, **self.identity}


def prepare(source: SourceImage, context: StepContext) -> Prepared:
    """Fetch, unpack and configure; nothing outside the work folder and the package cache is touched."""
    recipe, packages = _acquire(source, context)
    tree = _extract(packages, context)
    transformed = _configure(recipe, packages, tree, context)
    context.journal.packages([(p.reference.name, p.id, str(p.version), p.sha256, p.size) for p in packages])
    context.journal.changes([_journal_row(change) for change in transformed.changes])
    return Prepared(
        source=source,
        recipe=recipe,
        packages=packages,
        tree=tree,
        transformed=transformed,
        reference=image_reference(source, str(packages[0].version), context),
        configuration=_configuration(recipe, packages, transformed),
        labels=_labels(transformed, context),
    )


def _acquire(source: SourceImage, context: StepContext) -> tuple[Recipe, tuple[AcquiredPackage, ...]]:
    """The source package first, since it says which others it needs; these are then fetched together."""
    report = context.report
    with report.stage("acquire"):
        (main,) = acquire([source.source], context.feeds, context.cache, report.transfer)
        recipe = read_recipe(main, source, context)
        others = acquire(list(recipe.packages), context.feeds, context.cache, report.transfer)
        report.detail(", ".join(_described(package) for package in (main, *others)))
        return recipe, (main, *others)


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


def _configure(
    recipe: Recipe, packages: tuple[AcquiredPackage, ...], tree: Path, context: StepContext
) -> Transformed:
    with context.report.stage("transform"):
        known = package_variables(packages, {p.reference.name: _folder(p, packages, tree) for p in packages})
        variables = context.variables.merged(Variable(name, value, source="packages") for name, value in known)
        try:
            transformed = transform(tree, recipe.transform, variables)
        except TransformFailure as failure:
            tell(failure.messages, context.report)
            raise
        tell(transformed.messages, context.report)
        context.report.detail(transformed.summary)
        return transformed


def _configuration(recipe: Recipe, packages: tuple[AcquiredPackage, ...], transformed: Transformed) -> str:
    """Hash of all that goes into the image. The packages' hashes stand for their files."""
    content = [
        [(p.sha256, p.reference.extract_to or p.reference.name) for p in packages],
        sorted((file.path, hashlib.sha256(file.after).hexdigest()) for file in transformed.files),
        msgspec.to_builtins(recipe.build),
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


def _journal_row(change: Change) -> tuple[str, str, str, str, str | None, str | None]:
    old, new = (MASK, MASK) if change.sensitive else (change.old, change.new)
    return change.feature, change.file, change.place, change.rule, old, new
