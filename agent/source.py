"""The source package (SDI): any supported archive with a `Dockerfile` and, optionally, an `sdi.yaml`."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from agent.documents import decode_document, read_document
from agent.errors import InputError
from agent.images import BuildSettings
from agent.packages import AcquiredPackage, PackageReference, read_file
from agent.transform import TransformSettings

SDI = "sdi.yaml"


class SourceManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """`sdi.yaml`: what else the source needs, and how it is configured, built and run unless the step says."""

    packages: list[PackageReference] = []
    golden: str = ""
    transform: TransformSettings | None = None
    build: BuildSettings | None = None
    run: dict[str, Any] = {}


def read_source(folder: Path) -> SourceManifest:
    """The manifest in a source package's folder; an empty one where it has none. InputError if it is wrong."""
    path = folder / SDI
    return _checked(read_document(path, SourceManifest)) if path.is_file() else SourceManifest()


def read_packed_source(package: AcquiredPackage) -> SourceManifest:
    """The same, of a source package that is not unpacked yet."""
    data = read_file(package, SDI)
    return SourceManifest() if data is None else _checked(decode_document(data, SourceManifest, SDI))


def _checked(manifest: SourceManifest) -> SourceManifest:
    """InputError for a manifest that leads out of the package, or wants what this version has not."""
    if manifest.golden:
        raise InputError(f"{SDI}: golden: golden images are not in this version yet; bring a Dockerfile")
    for reference in manifest.packages:
        _require_inside(reference)
    return manifest


def check_source(folder: Path) -> None:
    """InputError unless the folder, if it means to be a source package, could be deployed as one."""
    if not (folder / SDI).is_file() and not (folder / "Dockerfile").is_file():
        return
    settings = read_source(folder).build or BuildSettings()
    dockerfile = folder / settings.dockerfile
    if not dockerfile.is_file():
        raise InputError(
            f"{folder} has an {SDI} but no {settings.dockerfile}; add one, or name it with build.dockerfile"
        )
    if not _has_base(dockerfile):
        raise InputError(f"{dockerfile} has no FROM; a Dockerfile begins with the image it builds on")


def _require_inside(reference: PackageReference) -> None:
    path = PurePosixPath(reference.extract_to.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in reference.extract_to:
        raise InputError(f"{SDI}: packages: extract-to '{reference.extract_to}' leads out of the source package")


def _has_base(dockerfile: Path) -> bool:
    lines = dockerfile.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return any(line.split()[:1] and line.split()[0].upper() == "FROM" for line in lines)
