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
DOCKERFILES = ("Dockerfile", "Dockerfile.j2")


class GoldenPackage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A golden image by the name that its package reference has in the release."""

    package: str


class SourceManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """`sdi.yaml`: what else the source needs, and how it is configured, built and run unless the step says.

    `golden` is an image to configure instead of building one; `transform` then names files by their paths in it.
    """

    packages: list[PackageReference] = []
    golden: str | GoldenPackage = ""
    transform: TransformSettings | None = None
    build: BuildSettings | None = None
    run: dict[str, Any] = {}


def read_source(folder: Path) -> SourceManifest:
    """The manifest in a source package's folder; an empty one where it has none. InputError if it is wrong."""
    path = folder / SDI
    if not path.is_file():
        return SourceManifest()
    has_dockerfile = any((folder / name).exists() for name in DOCKERFILES)
    return _checked(read_document(path, SourceManifest), has_dockerfile=has_dockerfile)


def read_packed_source(package: AcquiredPackage) -> SourceManifest:
    """The same, of a source package that is not unpacked yet."""
    data = read_file(package, SDI)
    if data is None:
        return SourceManifest()
    manifest = decode_document(data, SourceManifest, SDI)
    has_dockerfile = bool(manifest.golden) and any(read_file(package, name) is not None for name in DOCKERFILES)
    return _checked(manifest, has_dockerfile=has_dockerfile)


def _checked(manifest: SourceManifest, *, has_dockerfile: bool) -> SourceManifest:
    """InputError for a manifest that leads out of the package, or wants two things at once."""
    if manifest.golden:
        _require_only_golden(manifest, has_dockerfile=has_dockerfile)
    for reference in manifest.packages:
        _require_inside(reference)
    return manifest


def check_source(folder: Path) -> None:
    """InputError unless the folder, if it means to be a source package, could be deployed as one."""
    if not (folder / SDI).is_file() and not (folder / "Dockerfile").is_file():
        return
    manifest = read_source(folder)
    if manifest.golden:
        return
    settings = manifest.build or BuildSettings()
    dockerfile = folder / settings.dockerfile
    if not dockerfile.is_file():
        raise InputError(
            f"{folder} has an {SDI} but no {settings.dockerfile}; add one, or name it with build.dockerfile"
        )
    if not _has_base(dockerfile):
        raise InputError(f"{dockerfile} has no FROM; a Dockerfile begins with the image it builds on")


def _require_only_golden(manifest: SourceManifest, *, has_dockerfile: bool) -> None:
    if has_dockerfile:
        raise InputError(
            f"{SDI}: golden: the package has a Dockerfile too; an image is configured or built: remove one"
        )
    if manifest.packages:
        raise InputError(f"{SDI}: golden: packages cannot be put into an image that is there; remove packages")
    if manifest.build is not None and manifest.build != BuildSettings(platform=manifest.build.platform):
        raise InputError(f"{SDI}: golden: nothing is built, so build takes the platform only; remove the rest")


def _require_inside(reference: PackageReference) -> None:
    path = PurePosixPath(reference.extract_to.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in reference.extract_to:
        raise InputError(
            f"{SDI}: packages: extract-to '{reference.extract_to}' leads out of the package; name a folder in it"
        )


def _has_base(dockerfile: Path) -> bool:
    lines = dockerfile.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return any(line.split()[:1] and line.split()[0].upper() == "FROM" for line in lines)
