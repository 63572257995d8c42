"""Package references in, verified files out: all are resolved first and their problems told together."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import msgspec

from agent.documents import closest
from agent.errors import PackageError
from agent.host import ByteProgress
from agent.packages.cache import PackageCache
from agent.packages.feeds import Feed, FeedPackage
from agent.packages.ranges import VersionRange, parse_range
from agent.packages.versions import Version

T = TypeVar("T")
U = TypeVar("U")

BUILT_IN = "built-in"
WORKERS = 8
SHOWN_VERSIONS = 5

ReportProgress = Callable[[str], ByteProgress]
"""Takes a label and gives what takes the progress of that one transfer."""


class PackageReference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A package as a manifest asks for it: `version` is a version or a range, `name` is the id if not given.

    `extract_to` is a folder within the tree, or empty for one called as the reference. `sha256` pins the content.
    """

    id: str
    version: str
    name: str = ""
    feed: str = BUILT_IN
    extract_to: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        if not self.name:  # Maven's ids have colons, which a folder's name must not
            msgspec.structs.force_setattr(self, "name", _usual_name(self.id))


@dataclass(frozen=True, kw_only=True)
class AcquiredPackage:
    """A package in the cache. `sha256` is lower-case hex, `size` in bytes, `extension` as `.tar.gz`.

    `seal` is the file's when it was hashed: while it holds, the file need not be hashed again.
    """

    reference: PackageReference
    id: str
    version: Version
    path: Path
    sha256: str
    size: int
    extension: str
    seal: str = ""


def acquire(
    references: Sequence[PackageReference],
    feeds: Mapping[str, Feed],
    cache: PackageCache,
    report_progress: ReportProgress,
) -> tuple[AcquiredPackage, ...]:
    """Every package that is asked for, in the order of the references.

    One PackageError names all references that are wrong or that no feed can serve; nothing is fetched then.
    """
    found = _each(lambda reference: _resolve(reference, feeds), references)
    wanted = [
        (reference, feed, package, report_progress(f"{package.id} {package.version}"))
        for reference, (feed, package) in zip(references, found, strict=True)
    ]
    return _each(lambda one: _fetch(*one, cache), wanted)


def package_variables(
    acquired: Sequence[AcquiredPackage], extracted: Mapping[str, Path]
) -> tuple[tuple[str, str], ...]:
    """The variables that Calamari and the server set for package references, indexed by the reference's name.

    `extracted` gives each reference's folder by its name; one that is not there was not extracted. As Calamari:
    the first package is also the primary one, under the empty index and without an index.
    """
    values: list[tuple[str, str]] = []
    for package in acquired:
        values += _reference_variables(package, extracted.get(package.reference.name))
    if acquired:
        first = acquired[0]
        for prefix in ("Octopus.Action.Package[].", "Octopus.Action.Package."):
            values += [(prefix + key, value) for key, value in _identity_variables(first)]
        values.append(("Octopus.Tentacle.CurrentDeployment.PackageFilePath", str(first.path)))
        if folder := extracted.get(first.reference.name):
            values.append(("Octopus.Action.Package.InstallationDirectoryPath", str(folder)))
            values.append(("OctopusOriginalPackageDirectoryPath", str(folder)))
    return tuple(values)


def _each(work: Callable[[T], U], items: Sequence[T]) -> tuple[U, ...]:
    """The work's results in order, done side by side; all PackageErrors are told as one."""
    if not items:
        return ()
    with ThreadPoolExecutor(max_workers=min(WORKERS, len(items)), thread_name_prefix="package") as pool:
        futures = [pool.submit(work, item) for item in items]
    problems = [error for future in futures if isinstance(error := future.exception(), PackageError)]
    if not problems:
        return tuple(future.result() for future in futures)
    if len(problems) == 1:
        raise problems[0]
    told = list(dict.fromkeys(str(problem) for problem in problems))
    raise PackageError(f"{len(problems)} packages cannot be had: " + "; ".join(told)) from problems[0]


def _resolve(reference: PackageReference, feeds: Mapping[str, Feed]) -> tuple[Feed, FeedPackage]:
    try:
        _check_folder(reference)
        feed = _feed(reference, feeds)
        wanted = parse_range(reference.version, feed.format)
    except PackageError as error:
        raise PackageError(f"package {ascii(reference.name)[1:-1]}: {error}") from error
    available = feed.versions(reference.id, wanted.exactly)
    best = wanted.best(package.version for package in available)
    if best is None:
        raise PackageError(_missing(reference, wanted, feed, available))
    matches = [package for package in available if package.version == best and package.version.text == best.text]
    if len(matches) > 1:
        files = ", ".join(str(package.file.name if package.file else package.extension) for package in matches)
        raise PackageError(
            f"feed '{feed.name}' ({feed.location}) has {reference.id} {best} more than once ({files}); keep one"
        )
    return feed, feed.details(matches[0])


def _usual_name(id: str) -> str:  # noqa: A002
    return id.replace(":", ".")


def _check_folder(reference: PackageReference) -> None:
    """Where the package is to be extracted lies within the tree, on every system. Ids are checked by their feed."""
    if not reference.extract_to and reference.name == _usual_name(reference.id):
        return
    field, text = ("extract-to", reference.extract_to) if reference.extract_to else ("name", reference.name)
    parts = PurePosixPath(text).parts
    if not _FOLDER.fullmatch(text) or ".." in parts or text.startswith("/"):
        raise PackageError(f"{field} {text!a} is not a folder within the tree; write it as app or web/app")


_FOLDER = re.compile(r"[^\\:*?\"<>|\x00-\x1f\x7f]{1,200}")


def _feed(reference: PackageReference, feeds: Mapping[str, Feed]) -> Feed:
    if reference.feed not in feeds:
        hint = closest(reference.feed, tuple(feeds)) or "; the manifest has no feeds"
        raise PackageError(f"there is no feed '{reference.feed}'{hint}")
    return feeds[reference.feed]


def _missing(reference: PackageReference, wanted: VersionRange, feed: Feed, available: Sequence[FeedPackage]) -> str:
    start = f"{reference.id} {wanted.text or 'latest'} is not in feed '{feed.name}' ({feed.location})"
    if not available:
        similar = feed.similar(reference.id)
        hint = f"; did you mean {' or '.join(similar)}?" if similar else ""
        return f"{start}, nor is any other version{hint or '; check the id, or add the package'}"
    versions = sorted({package.version for package in available}, reverse=True)
    shown = ", ".join(str(version) for version in versions[:SHOWN_VERSIONS])
    more = f" and {len(versions) - SHOWN_VERSIONS} more" if len(versions) > SHOWN_VERSIONS else ""
    return f"{start}; it has {shown}{more}"


def _fetch(
    reference: PackageReference, feed: Feed, package: FeedPackage, progress: ByteProgress, cache: PackageCache
) -> AcquiredPackage:
    entry = cache.get(feed, package, progress)
    if reference.sha256 and reference.sha256.lower() != entry.sha256:
        raise PackageError(
            f"{package.id} {package.version} from feed '{feed.name}' ({feed.location}) has sha256 {entry.sha256}, "
            f"{reference.sha256} is asked for; it is not used"
        )
    return AcquiredPackage(
        reference=reference,
        id=package.id,
        version=package.version,
        path=entry.path,
        sha256=entry.sha256,
        size=entry.size,
        extension=package.extension,
        seal=entry.seal,
    )


def _reference_variables(package: AcquiredPackage, folder: Path | None) -> list[tuple[str, str]]:
    prefix = f"Octopus.Action.Package[{package.reference.name}]."
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
    return [(prefix + key, value) for key, value in values]


def _identity_variables(package: AcquiredPackage) -> list[tuple[str, str]]:
    return [
        ("PackageId", package.id),
        ("PackageVersion", package.version.text),
        ("FeedId", package.reference.feed),
    ]
