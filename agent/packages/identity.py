"""Package ids and the file names that carry them: `Id.Version.ext`, and the name of a file in Octopus's cache.

An id is untrusted: it may come from a manifest that somebody else wrote. What passes here is safe as a part of
a file name on Linux and Windows; even so, the cache names its files by their content only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.errors import PackageError
from agent.packages.versions import Version, parse_semver

EXTENSIONS = (
    *(".tar.gz", ".tar.bz2", ".tar.bz", ".tar.xz", ".tar.zst", ".tar.z", ".tgz", ".tbz", ".txz", ".tzst", ".tar"),
    *(".nupkg", ".zip", ".whl", ".jar", ".war", ".ear", ".rar"),
)
"""What packages end in, a longer one before the shorter one that it ends in. `.rar` can be named, not read."""


@dataclass(frozen=True, kw_only=True)
class PackageFileName:
    """A file name taken apart. `extension` begins with a dot and is spelled as in the name."""

    id: str
    version: Version
    extension: str


def check_id(id: str) -> str:  # noqa: A002  the field's own word
    """The id, if it is one: 1 to 128 ASCII letters, digits, `.`, `_`, `-`. PackageError otherwise."""
    if not _ID.fullmatch(id) or ".." in id or id.endswith("."):
        raise PackageError(
            f"{_shown(id)} is not a package id; it takes 1 to 128 letters, digits, '.', '_' and '-', "
            "begins with a letter or digit and has no '..'"
        )
    return id


def same_id(one: str, other: str) -> bool:
    """Ids differ by more than case (as NuGet)."""
    return one.lower() == other.lower()


def file_name(id: str, version: str, extension: str) -> str:  # noqa: A002
    """`Id.Version.ext`. PackageError for what is no id or version, or would be read as another one."""
    wanted = parse_semver(version)
    name = f"{check_id(id)}.{wanted.text.removeprefix('v')}{extension}"
    read = parse_file_name(name)
    if not read or read.id != id:
        meant = f"{read.id} {read.version}" if read else "nothing"
        raise PackageError(f"{name} would be read as {meant}; give an id that ends in a letter")
    return name


def parse_file_name(name: str) -> PackageFileName | None:
    """`Id.Version.ext` taken apart, or None where it is not such a name.

    As Calamari: the id is the shortest that leaves a version of one to four numbers, and `.tar.gz` and its
    like are one extension.
    """
    extension = known_extension(name)
    if not extension:
        return None
    found = parse_stem(name[: -len(extension)])
    return PackageFileName(id=found[0], version=found[1], extension=extension) if found else None


def parse_stem(stem: str) -> tuple[str, Version] | None:
    """Id and version of `Id.Version`, or None."""
    match = _STEM.fullmatch(stem) if len(stem) <= 400 else None
    if not match:
        return None
    try:
        return check_id(match["id"]), parse_semver(match["version"])
    except PackageError:
        return None


def known_extension(name: str) -> str:
    """The longest package extension that the name ends in, as it is spelled there, or nothing."""
    lower = name.lower()
    found = next((extension for extension in EXTENSIONS if lower.endswith(extension)), "")
    return name[len(name) - len(found) :] if len(found) < len(name) else ""


_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_STEM = re.compile(
    r"(?P<id>[A-Za-z0-9]+(?:[._-]+[A-Za-z0-9]+)*?)[.]"
    r"(?P<version>[0-9]+(?:[.][0-9]+){0,3}(?:-[0-9A-Za-z.-]+)?(?:[+][0-9A-Za-z.-]+)?)"
)


def _shown(text: str) -> str:
    """An untrusted word for a message: escaped, and cut where it is long."""
    return ascii(text if len(text) <= 60 else text[:60] + "...")
