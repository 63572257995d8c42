"""`dockwright acquire`: packages from any feed into the cache, as a deployment would fetch them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.documents import closest
from agent.errors import InputError, StorageError
from agent.packages import (
    AcquiredPackage,
    FeedSettings,
    PackageCache,
    PackageReference,
    ReportProgress,
    ResolvedImage,
    acquire_all,
    open_feed,
)
from agent.packages.feeds import FeedType
from agent.registry.destinations import names_this_machine

FEED = "feed"
TYPES: tuple[FeedType, ...] = ("folder", "http", "nuget", "maven", "oci", "docker", "github", "octopus")


@dataclass(frozen=True, kw_only=True)
class FeedAccess:
    """Who we are to the feed; secrets are in files, for a command line is everybody's to read."""

    username: str = ""
    password_file: Path | None = None
    api_key_file: Path | None = None
    insecure: bool = False
    allow_local: bool = False
    asset: str = ""


class Acquired(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """What was acquired, for people and for `--output json`; `size` in bytes.

    An image stays where it is: its `path` is the pinned reference, `sha256` its digest.
    """

    id: str
    version: str
    sha256: str
    size: int
    path: str


def acquire_packages(
    wanted: Sequence[str], feed: str, access: FeedAccess, home: Path, into: Path | None, progress: ReportProgress
) -> list[Acquired]:
    """Acquire each `ID[@VERSION]` from the feed `TYPE:URI` into the home's cache, and copy it to `into` if given."""
    references = [_reference(text) for text in wanted]
    settings = _settings(feed, access)
    feeds = {FEED: open_feed(FEED, settings, Path().absolute())}
    acquired = acquire_all(references, feeds, PackageCache(home / "packages"), progress)
    files = [_told(package, _copied(package, into) if into else package.path) for package in acquired.packages]
    return [*files, *map(_told_image, acquired.images)]


def acquired_lines(acquired: Sequence[Acquired]) -> list[str]:
    """One line a package, for people."""
    from agent.report.wording import size

    return [f"{one.id} {one.version}  {size(one.size)}  sha256 {one.sha256}  {one.path}" for one in acquired]


def _reference(text: str) -> PackageReference:
    id_, _, version = text.partition("@")
    return PackageReference(id=id_, version=version or "latest", feed=FEED)


def _settings(text: str, access: FeedAccess) -> FeedSettings:
    """What is typed here may lead to this machine if it says so itself."""
    word, _, uri = text.partition(":")
    type_ = next((known for known in TYPES if known == word), None)
    if type_ is None:
        raise InputError(f"--feed must be TYPE:URI, and {word[:40]!a} is no type{closest(word, TYPES)}")
    host = re.match(r"(?:[a-z]+://)?(\[[^\]]*\]|[^/:]*)", uri)
    typed = names_this_machine(host[1].strip("[]")) if host and type_ != "folder" else False
    try:
        return FeedSettings(
            type=type_,
            uri=uri,
            username=access.username,
            password=_secret(access.password_file),
            api_key=_secret(access.api_key_file),
            insecure=access.insecure,
            allow_local=access.allow_local or typed,
            asset=access.asset,
        )
    except ValueError as error:
        raise InputError(f"--feed {type_}: {error}") from error


def _secret(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read for a secret; give a text file that has it in its first line"
        ) from error
    if not lines or not lines[0].strip():
        raise InputError(f"{path} holds no secret in its first line; write it there")
    return lines[0].strip()


def _copied(package: AcquiredPackage, folder: Path) -> Path:
    """A copy as `Id.Version.ext`; beside first, then in place."""
    name = f"{re.sub(r'[^A-Za-z0-9._+-]', '.', f'{package.id}.{package.version}')}{package.extension}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / f".{name}.partial"
        shutil.copyfile(package.path, beside)
        return beside.replace(folder / name)
    except OSError as error:
        raise StorageError(
            f"{folder / name} cannot be written: {error.strerror}; check its space and rights"
        ) from error


def _told(package: AcquiredPackage, path: Path) -> Acquired:
    return Acquired(
        id=package.id, version=package.version.text, sha256=package.sha256, size=package.size, path=str(path)
    )


def _told_image(image: ResolvedImage) -> Acquired:
    digest = image.digest.partition(":")[2]
    return Acquired(id=image.id, version=image.version, sha256=digest, size=0, path=str(image.pinned))
