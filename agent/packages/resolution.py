"""Which version of which feed a reference means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import msgspec

from agent.documents import closest
from agent.errors import PackageError
from agent.packages.feeds import Feed, FeedPackage
from agent.packages.ranges import VersionRange, parse_range

BUILT_IN = "built-in"
SHOWN_VERSIONS = 5


class PackageReference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A package as a manifest asks for it: `version` is a version or a range, `name` is the id if not given.

    `extract_to` is a folder within the tree, or empty for one called as the reference. `sha256` pins the content.
    `as_calamari` leaves links and executable bits out of what is extracted.
    """

    id: str
    version: str
    name: str = ""
    feed: str = BUILT_IN
    extract_to: str = ""
    sha256: str = ""
    as_calamari: bool = False

    def __post_init__(self) -> None:
        if not self.name:  # Maven's ids have colons, which a folder's name must not
            msgspec.structs.force_setattr(self, "name", _usual_name(self.id))

    @property
    def variant(self) -> tuple[str, ...]:
        """What makes another tree of the same content."""
        return ("as-calamari",) if self.as_calamari else ()


def resolve(reference: PackageReference, feeds: Mapping[str, Feed]) -> tuple[Feed, FeedPackage]:
    """The feed, and the best of its versions that the reference takes. PackageError says what there is instead."""
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
