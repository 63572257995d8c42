"""The variables by which scripts and templates know what a deployment is made of, named as Octopus names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.packages.acquire import AcquiredPackage
from agent.packages.images import ResolvedImage
from agent.variables import Variable

SOURCE = "packages"


def package_variables(
    acquired: Sequence[AcquiredPackage], extracted: Mapping[str, Path], images: Sequence[ResolvedImage] = ()
) -> tuple[Variable, ...]:
    """The variables that Calamari and the server set for package references, indexed by the reference's name.

    `extracted` gives each reference's folder by its name; one that is not there was not extracted. As Calamari:
    the first package is also the primary one, under the empty index and without an index. `.Digest` of an image is
    our own.
    """
    values: list[tuple[str, str]] = []
    for package in acquired:
        values += _reference_variables(package, extracted.get(package.reference.name))
    if acquired:
        values += _primary_variables(acquired[0], extracted.get(acquired[0].reference.name))
    for image in images:
        values += _image_variables(image)
    plain = tuple(Variable(name, value, source=SOURCE) for name, value in values)
    return plain + tuple(secret for image in images for secret in _secrets(image))


def _reference_variables(package: AcquiredPackage, folder: Path | None) -> list[tuple[str, str]]:
    values = [
        *_identity_variables(package),
        ("OriginalPath", str(package.path)),
        ("Extract", str(folder is not None)),
    ]
    if folder is not None:
        values.append(("ExtractedPath", str(folder)))
    else:
        values.append(("PackageFilePath", str(package.path)))
        values.append(("PackageFileName", package.path.name))
    return _indexed(package.reference.name, values)


def _primary_variables(package: AcquiredPackage, folder: Path | None) -> list[tuple[str, str]]:
    values = [
        (prefix + key, value)
        for prefix in ("Octopus.Action.Package[].", "Octopus.Action.Package.")
        for key, value in _identity_variables(package)
    ]
    values.append(("Octopus.Tentacle.CurrentDeployment.PackageFilePath", str(package.path)))
    if folder:
        values.append(("Octopus.Action.Package.InstallationDirectoryPath", str(folder)))
        values.append(("OctopusOriginalPackageDirectoryPath", str(folder)))
    return values


def _identity_variables(package: AcquiredPackage) -> list[tuple[str, str]]:
    return [
        ("PackageId", package.id),
        ("PackageVersion", package.version.text),
        ("FeedId", package.reference.feed),
    ]


def _image_variables(image: ResolvedImage) -> list[tuple[str, str]]:
    """As the server: there is no file, and `Image` is what can be pulled."""
    values = [
        ("PackageId", image.id),
        ("PackageVersion", image.version),
        ("FeedId", image.feed),
        ("OriginalPath", ""),
        ("Extract", "False"),
        ("Purpose", "DockerImageReference"),
        ("Image", image.image),
        ("Registry", image.registry),
        ("Version", image.version),
        ("Digest", image.digest),
    ]
    if image.credentials:
        values.append(("Feed.UserName", image.credentials.username))
    return _indexed(image.name, values)


def _secrets(image: ResolvedImage) -> tuple[Variable, ...]:
    if image.credentials is None:
        return ()
    ((name, value),) = _indexed(image.name, [("Feed.Password", image.credentials.password)])
    return (Variable(name, value, sensitive=True, source=SOURCE),)


def _indexed(reference: str, values: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(f"Octopus.Action.Package[{reference}].{key}", value) for key, value in values]
