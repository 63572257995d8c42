"""Artifacts: paths in the ended container become files that the server collects."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from pathlib import Path

from agent.errors import DockwrightError, PackageError, StorageError
from agent.host import ContainerHost, ContainerInfo
from agent.packages import extract
from agent.scripts import Artifact, keep_artifact, make_room
from agent.step import StepContext

LARGEST = 2 * 1024**3
"""Bytes that one artifact may have; a container could go on for ever."""


def collect(artifacts: Iterable[Artifact], container: ContainerInfo, context: StepContext) -> None:
    """Copy each one out and offer it: a file as it is, a folder as a tar. One that cannot be had is told of."""
    for number, artifact in enumerate(artifacts):
        try:
            kept = _copied(artifact, container, context.host, context.work / f"artifact-{number}", context.artifacts)
        except DockwrightError as error:
            context.report.warning(f"artifact {artifact.name}: {error}")
        else:
            context.report.artifact(kept, artifact.name)


def asked_for(paths: Iterable[str]) -> list[Artifact]:
    """The paths of the step's input."""
    return [Artifact(path=path, name=_last(path)) for path in paths]


def _copied(artifact: Artifact, container: ContainerInfo, host: ContainerHost, work: Path, into: Path) -> Path:
    """The archive comes from the container, so it is unpacked like any package: nothing gets out of its folder."""
    archive, tree = work / "artifact.tar", work / "tree"
    _write(host, container, artifact.path, archive)
    try:
        extract(archive, tree)
    except PackageError as error:
        raise PackageError(f"{artifact.path} in {container.name} is not taken: {error}") from error
    found = tree / _last(artifact.path)
    if found.is_file() and not found.is_symlink():
        return keep_artifact(found, artifact.name, into)
    if not found.is_dir():
        raise PackageError(f"{artifact.path} in {container.name} is neither a file nor a folder")
    name = artifact.name if artifact.name.endswith(".tar") else f"{artifact.name}.tar"
    return archive.rename(make_room(name, into))


def _write(host: ContainerHost, container: ContainerInfo, path: str, archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    try:
        with archive.open("wb") as file:
            for chunk in host.copy_out(container.id, path):
                written += len(chunk)
                if written > LARGEST:
                    raise StorageError(f"{path} in {container.name} has more than {LARGEST:,} bytes; leave some out")
                file.write(chunk)
    except OSError as error:
        raise StorageError(f"{path} cannot be copied out of {container.name}: {error.strerror}") from error


def _last(path: str) -> str:
    return posixpath.basename(path.replace("\\", "/").rstrip("/")) or "root"
