"""One more layer on an image that a container host has, made by its engine: FROM the image, and a few files.

The context is these files, so nothing of the application is sent. They travel as a tar, which ADD unpacks with its
modes and owners; folders that are there keep theirs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from agent.engine.dockerfile import label_dockerfile
from agent.errors import InputError, StorageError
from agent.images.layer import LayerContent, LayerFile, pack_files
from agent.images.unfinished import noting

if TYPE_CHECKING:
    from agent.host import ContainerHost, ImageInfo, LineSink
    from agent.journal import Effects

_FILES: Final = "files"
_ARCHIVE: Final = "files.tar"


class HostLayer(msgspec.Struct, frozen=True, kw_only=True):
    """What to put on `base`, an image that the host has; `work` is a folder for the context."""

    base: ImageInfo
    reference: str
    content: LayerContent
    labels: Mapping[str, str]
    work: Path


def build_on_top(request: HostLayer, host: ContainerHost, journal: Effects, output: LineSink) -> ImageInfo:
    """The image under its reference. InputError for what an engine cannot do without a registry's help."""
    from agent.host import BuildRequest

    _check(request)
    with tempfile.TemporaryDirectory(prefix="layer-", dir=request.work) as folder:
        _write_context(request, Path(folder))
        with journal.effect("build", "build", request.reference):
            return host.build(BuildRequest(context=Path(folder), tags=(request.reference,)), noting(output, journal))


def _check(request: HostLayer) -> None:
    if request.content.deleted:
        raise InputError(
            f"{request.reference}: {request.content.deleted[0]} is to be deleted, which only a registry can keep; "
            "give the step a registry"
        )
    if request.base.build_triggers:
        raise InputError(
            f"{request.base.id[:19]} has build triggers (ONBUILD), which would run; give the step a registry"
        )


def _write_context(request: HostLayer, folder: Path) -> None:
    lines = label_dockerfile(request.base.id, request.labels) if request.labels else f"FROM {request.base.id}\n"
    files = request.content.files
    try:
        if files and request.base.os == "windows":
            lines += f"COPY {_FILES}/ /\n"
            _write_files(files, folder / _FILES)
        elif files:
            lines += f"ADD {_ARCHIVE} /\n"
            (folder / _ARCHIVE).write_bytes(pack_files(files))
        (folder / "Dockerfile").write_text(lines, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{folder}: the layer's files cannot be written ({error.strerror}); make room") from error


def _write_files(files: tuple[LayerFile, ...], folder: Path) -> None:
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
