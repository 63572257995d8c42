"""The hooks of a source package: where they run, and what they mean for the image's identity."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from agent.scripts import HookPlaces, Hooks, HookSettings
from agent.step import StepContext
from agent.variables import Variables
from steps.source_image.manifest import SourceImage


def open_hooks(
    source: SourceImage, tree: Path, variables: Variables, context: StepContext, *, planning: bool
) -> Hooks:
    """The hooks of the package at the root of the tree; what they are told lies beside it, in memory if it does."""
    settings = HookSettings.of(source.hooks, variables, time_limit=source.hook_time_limit, dry=planning)
    places = HookPlaces(private=tree.with_name("hook"), artifacts=context.artifacts, step=context.deployment.step)
    return Hooks(settings, tree, variables=variables, places=places, report=context.report)


def content_hash(tree: Path) -> str:
    """Hash of every file of the tree with its name and whether it can be run: a hook may have made any of them."""
    known = hashlib.sha256()
    for folder, folders, files in os.walk(tree):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            known.update(f"{path.relative_to(tree)}\0{path.lstat().st_mode & 0o111}\0".encode("utf-8", "replace"))
            known.update(_content(path))
    return known.hexdigest()


def _content(path: Path) -> bytes:
    if path.is_symlink():
        return os.fsencode(path.readlink())
    if not path.is_file():
        return b""  # a pipe or a socket; an image cannot hold it either
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
