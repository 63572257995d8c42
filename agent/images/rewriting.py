"""Files of an image get new content, at their places in the image: what a layer on top of it then holds.

The place was found by reading a Dockerfile. Here the image itself is the witness: a file that is not there, or is
not what the Dockerfile should have put there, is a doubt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from agent.images.contents import Found
from agent.images.layer import WINDOWS_FILES, LayerContent, LayerFile
from agent.images.worktree import Changes

if TYPE_CHECKING:
    from agent.host import OperatingSystem


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """Why a full build is needed, in a few words: `Dockerfile:7: RUN could see app/appsettings.json`."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Rewritten:
    """What a file was, and what it is to be."""

    before: bytes = field(repr=False)
    after: bytes = field(repr=False)


def exactly(path: str) -> re.Pattern[str]:
    """The expression for one path, whatever characters it has."""
    return re.compile(re.escape(path) + r"\Z")


def rewritten(found: Found, wanted: Mapping[str, Rewritten], system: OperatingSystem) -> LayerContent | Doubt:
    """The layer's content. `wanted` are the new contents by path in the image, `found` what is there now."""
    if found.unmatched:
        return Doubt(reason=f"the image has no {found.unmatched[0]}")
    files: list[LayerFile] = []
    for file in found.files:
        edits = {(wanted[name].before, wanted[name].after) for name in file.names}
        before, after = next(iter(edits))
        if len(edits) > 1 or file.content != before:
            return Doubt(reason=f"{file.path} in the image is not the package's own")
        files.append(LayerFile(path=file.path, content=after, attributes=file.attributes))
    return layer_content(Changes(files=tuple(files)), found, system)


def layer_content(changes: Changes, found: Found, system: OperatingSystem) -> LayerContent:
    """Only the folders above what changed. In Windows images all of it is below `Files`."""
    root = f"{WINDOWS_FILES}/" if system == "windows" else ""
    above = {str(parent) for path in changes.paths for parent in PurePosixPath(path).parents}
    return LayerContent(
        files=tuple(
            LayerFile(path=root + file.path, content=file.content, attributes=file.attributes)
            for file in changes.files
        ),
        deleted=tuple(root + path for path in changes.deleted),
        folders={root + path: attributes for path, attributes in found.folders.items() if path in above},
    )
