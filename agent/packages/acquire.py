"""Package references in, verified files out: all are resolved first and their problems told together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from agent.errors import PackageError
from agent.host import ByteProgress
from agent.packages.cache import PackageCache
from agent.packages.feeds import Feed, FeedPackage
from agent.packages.images import ResolvedImage, pinned
from agent.packages.resolution import PackageReference, resolve
from agent.packages.versions import Version

T = TypeVar("T")
U = TypeVar("U")

WORKERS = 8

ReportProgress = Callable[[str], ByteProgress]
"""Takes a label and gives what takes the progress of that one transfer."""


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


@dataclass(frozen=True, kw_only=True)
class Acquired:
    """What references led to: files in the cache, and images pinned where they are; each in the references' order."""

    packages: tuple[AcquiredPackage, ...]
    images: tuple[ResolvedImage, ...]


def acquire(
    references: Sequence[PackageReference],
    feeds: Mapping[str, Feed],
    cache: PackageCache,
    report_progress: ReportProgress,
) -> tuple[AcquiredPackage, ...]:
    """Every package that is asked for, in the order of the references.

    One PackageError names all references that are wrong or that no feed can serve; nothing is fetched then.
    """
    found = _each(lambda reference: resolve(reference, feeds), references)
    for reference, (_, package) in zip(references, found, strict=True):
        if package.image:
            raise PackageError(
                f"package {reference.name}: {package.image.text} is a container image; a package with files is needed"
            )
    return _fetched(references, found, cache, report_progress)


def acquire_all(
    references: Sequence[PackageReference],
    feeds: Mapping[str, Feed],
    cache: PackageCache,
    report_progress: ReportProgress,
) -> Acquired:
    """As `acquire`, and container images among the references are pinned to their digests, not downloaded."""
    found = _each(lambda reference: resolve(reference, feeds), references)
    both = list(zip(references, found, strict=True))
    images = tuple(pinned(reference, package) for reference, (_, package) in both if package.image)
    files = [(reference, one) for reference, one in both if not one[1].image]
    packages = _fetched([reference for reference, _ in files], [one for _, one in files], cache, report_progress)
    return Acquired(packages=packages, images=images)


def _fetched(
    references: Sequence[PackageReference],
    found: Sequence[tuple[Feed, FeedPackage]],
    cache: PackageCache,
    report_progress: ReportProgress,
) -> tuple[AcquiredPackage, ...]:
    wanted = [
        (reference, feed, package, report_progress(f"{package.id} {package.version}"))
        for reference, (feed, package) in zip(references, found, strict=True)
    ]
    return _each(lambda one: _fetch(*one, cache), wanted)


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
