"""Versions and their order: SemVer as NuGet reads it, Octopus's own permissive form, and Maven's.

A `Version` keeps its text and compares by a key, so `1.0` equals `1.0.0`. Which of the three forms applies is a
property of the feed, and versions of different forms are never compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import total_ordering
from typing import Literal

from agent.errors import PackageError

VersionFormat = Literal["semver", "maven", "octopus"]
MAXIMUM_LENGTH = 256


@total_ordering
@dataclass(frozen=True, kw_only=True, eq=False)
class Version:
    """One version. `key` holds its order within the format; `text` is as it was written, trimmed."""

    text: str
    format: VersionFormat
    key: tuple[object, ...] = field(repr=False)
    prerelease: bool = False

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        return self.format == other.format and self.key == other.key

    def __lt__(self, other: Version) -> bool:
        if not isinstance(other, Version) or self.format != other.format:
            return NotImplemented
        return self.key < other.key

    def __hash__(self) -> int:
        return hash((self.format, self.key))


def parse_version(text: str, format: VersionFormat = "semver") -> Version:  # noqa: A002  the field's own word
    """The version in the given form; PackageError where the text is none."""
    return _PARSERS[format](text)


def parse_semver(text: str) -> Version:
    """One to four numbers, `-prerelease`, `+metadata`, with or without a leading `v` (as NuGet).

    Labels compare by their dots, numbers as numbers, text without case. Metadata has no part in the order.
    """
    text = _trimmed(text)
    match = _SEMVER.fullmatch(text)
    if not match:
        raise PackageError(f"{text!a} is not a version; it looks like 1.2.0, 1.2.0.5 or 1.2.0-beta.1")
    numbers = _four([int(number) for number in match["numbers"].split(".")], text)
    labels = match["labels"]
    if labels is None:
        return Version(text=text, format="semver", key=(*numbers, 1))
    order = tuple(_label(label) for label in labels.lower().split("."))
    return Version(text=text, format="semver", key=(*numbers, 0, order), prerelease=True)


def parse_octopus(text: str) -> Version:
    """Octopus's permissive form, also that of image tags: `1.0myfeature`, `19.0.0.Final`, `latest`.

    As Octopus: labels are split where a character is no letter or digit; numbers sort before words.
    """
    text = _trimmed(text)
    match = _OCTOPUS.fullmatch(text)
    if not match:
        raise PackageError(f"{text!a} is not a version; it takes numbers, letters, '.', '-' and '_'")
    found = match["numbers"] or ""
    numbers = _four([int(number) for number in found.split(".")] if found else [], text)
    if not match["label"]:
        return Version(text=text, format="octopus", key=(*numbers, 1))
    order = tuple(_label(part) for part in re.split(r"[^0-9A-Za-z]", match["label"].lower()))
    return Version(text=text, format="octopus", key=(*numbers, 0, order), prerelease=True)


def parse_maven(text: str) -> Version:
    """Any text, ordered as Maven's ComparableVersion; one with a qualifier below a release is a pre-release."""
    from agent.packages.maven import maven_key, maven_prerelease

    text = _trimmed(text)
    if not text.isascii() or not text.isprintable() or " " in text:
        raise PackageError(f"{text!a} is not a version; it takes printable ASCII without blanks")
    return Version(text=text, format="maven", key=maven_key(text), prerelease=maven_prerelease(text))


_PARSERS: dict[VersionFormat, Callable[[str], Version]] = {
    "semver": parse_semver,
    "maven": parse_maven,
    "octopus": parse_octopus,
}
_SEMVER = re.compile(
    r"v?(?P<numbers>[0-9]+(?:[.][0-9]+){0,3})"
    r"(?:-(?P<labels>[0-9A-Za-z-]+(?:[.][0-9A-Za-z-]+)*))?"
    r"(?:[+][0-9A-Za-z-]+(?:[.][0-9A-Za-z-]+)*)?"
)
_OCTOPUS = re.compile(
    r"[vV]?(?P<numbers>[0-9]+(?:[.][0-9]+){0,3})?[.\-_\\]?"
    r"(?P<label>[A-Za-z0-9]*(?:[.\-_\\][A-Za-z0-9.\-_\\]*)?)"
    r"(?:[+][A-Za-z0-9.\-_\\+]*)?"
)


def _trimmed(text: str) -> str:
    stripped = text.strip()
    if not stripped or len(stripped) > MAXIMUM_LENGTH:
        raise PackageError(f"{stripped[:40]!a} is not a version; it takes 1 to {MAXIMUM_LENGTH} characters")
    return stripped


def _four(numbers: list[int], text: str) -> tuple[int, int, int, int]:
    if any(number > 2**31 - 1 for number in numbers):
        raise PackageError(f"{text} is not a version: a number in it is larger than {2**31 - 1}")
    major, minor, patch, revision = (*numbers, 0, 0, 0, 0)[:4]
    return major, minor, patch, revision


def _label(label: str) -> tuple[int, int, str]:
    return (0, int(label), "") if label.isdigit() else (1, 0, label)
