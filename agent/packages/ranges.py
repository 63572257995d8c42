"""Which versions a reference accepts: one exactly, a range in brackets, a floating `1.2.*`, or the latest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from agent.errors import PackageError
from agent.packages.versions import MAXIMUM_LENGTH, Version, VersionFormat, parse_version


@dataclass(frozen=True, kw_only=True)
class Interval:
    """What lies between two bounds; None is unbounded."""

    minimum: Version | None = None
    maximum: Version | None = None
    includes_minimum: bool = True
    includes_maximum: bool = True

    def allows(self, version: Version) -> bool:
        if self.minimum and (version < self.minimum or (version == self.minimum and not self.includes_minimum)):
            return False
        return not (
            self.maximum and (version > self.maximum or (version == self.maximum and not self.includes_maximum))
        )


@dataclass(frozen=True, kw_only=True)
class VersionRange:
    """Accepts what one of its intervals allows, and pre-releases only if it says so."""

    text: str
    intervals: tuple[Interval, ...]
    prereleases: bool = False
    label: str = ""
    """What the pre-release label must begin with, for `1.2.0-beta*`."""

    @property
    def exactly(self) -> Version | None:
        """The one version that is accepted, where there can be no other."""
        only = self.intervals[0] if len(self.intervals) == 1 else Interval()
        return only.minimum if only.minimum and only.minimum == only.maximum else None

    def allows(self, version: Version) -> bool:
        if version.prerelease and not self.prereleases:
            return False
        if self.label and version.prerelease and not _label(version).startswith(self.label):
            return False
        return any(interval.allows(version) for interval in self.intervals)

    def best(self, versions: Iterable[Version]) -> Version | None:
        """The highest version allowed; among equal ones the one spelled as the range is."""
        allowed = [version for version in versions if self.allows(version)]
        return max(allowed, key=lambda version: (version, version.text == self.text), default=None)


def parse_range(text: str, format: VersionFormat = "semver") -> VersionRange:  # noqa: A002
    """What `text` accepts; PackageError where it is neither a version nor a range.

    `1.2.0` and `[1.2.0]` mean exactly that one; `[1.2,2.0)`, `(,1.0]` and unions of these what they mean to
    NuGet and Maven; `1.2.*` the highest release that begins so; `1.2.0-*`, `1.2.0-beta*` and `*-*` also
    pre-releases; `*`, `latest` (but of images, where that is a tag) and nothing at all the highest release. As
    Octopus, a range takes pre-releases if one of its bounds is one, and the highest match is taken.
    """
    text = text.strip()
    if len(text) > MAXIMUM_LENGTH:
        raise PackageError(f"{text[:40]!a}... is not a version range; it takes {MAXIMUM_LENGTH} characters")
    if not text or (text.lower() == "latest" and format != "octopus"):
        return VersionRange(text=text, intervals=(Interval(),))
    if text[0] in "[(":
        return _bracketed(text, format)
    if "*" in text:
        return _floating(text, format)
    version = parse_version(text, format)
    return VersionRange(text=text, intervals=(_exactly(version),), prereleases=True)


_INTERVAL = re.compile(r"\s*([\[(])([^\[\]()]*)([\])])\s*")
_FLOATING = re.compile(r"(?P<numbers>(?:[0-9]+[.]){0,3})[*](?P<any>-[*])?")
_LABELLED = re.compile(r"(?P<version>[0-9]+(?:[.][0-9]+){0,3})-(?P<label>[0-9A-Za-z.-]*)[*]")


def _exactly(version: Version) -> Interval:
    return Interval(minimum=version, maximum=version)


def _bracketed(text: str, format: VersionFormat) -> VersionRange:  # noqa: A002
    intervals: list[Interval] = []
    position = 0
    while match := _INTERVAL.match(text, position):
        intervals.append(_interval(match[1], match[2], match[3], text=text, format=format))
        position = match.end()
        if position == len(text):
            return VersionRange(text=text, intervals=tuple(intervals), prereleases=_any_prerelease(intervals))
        if text[position] != ",":
            break
        position += 1
    raise PackageError(f"{text!a} is not a version range; it looks like [1.2,2.0), (,1.0] or 1.2.*")


def _interval(opening: str, inside: str, closing: str, *, text: str, format: VersionFormat) -> Interval:  # noqa: A002
    bounds = [bound.strip() for bound in inside.split(",")]
    if len(bounds) == 1:
        if opening + closing != "[]" or not bounds[0]:
            raise PackageError(f"{text!a} is not a version range; one version alone is written [1.2.0]")
        return _exactly(parse_version(bounds[0], format))
    if len(bounds) > 2:
        raise PackageError(f"{text!a} is not a version range; each bracket holds two bounds")
    minimum, maximum = (parse_version(bound, format) if bound else None for bound in bounds)
    interval = Interval(
        minimum=minimum,
        maximum=maximum,
        includes_minimum=opening == "[",
        includes_maximum=closing == "]",
    )
    if minimum and maximum and (minimum > maximum or (minimum == maximum and opening + closing != "[]")):
        raise PackageError(f"{text!a} is a range that nothing is in; the lower bound comes first")
    return interval


def _any_prerelease(intervals: Sequence[Interval]) -> bool:
    bounds = [bound for interval in intervals for bound in (interval.minimum, interval.maximum)]
    return any(bound.prerelease for bound in bounds if bound)


def _floating(text: str, format: VersionFormat) -> VersionRange:  # noqa: A002
    if match := _LABELLED.fullmatch(text):
        return _floating_label(text, match["version"], match["label"].lower(), format)
    match = _FLOATING.fullmatch(text)
    if not match:
        raise PackageError(f"{text!a} is not a version range; '*' stands last, as in 1.2.* or 1.2.0-*")
    numbers = match["numbers"].rstrip(".")
    everything = bool(match["any"])
    if not numbers:
        return VersionRange(text=text, intervals=(Interval(),), prereleases=everything)
    *leading, last = (int(number) for number in numbers.split("."))
    lowest = parse_version(numbers, format)
    following = parse_version(".".join(str(number) for number in (*leading, last + 1)), format)
    if everything:
        lowest, following = _below_prereleases(lowest, text), _below_prereleases(following, text)
    interval = Interval(minimum=lowest, maximum=following, includes_maximum=False)
    return VersionRange(text=text, intervals=(interval,), prereleases=everything)


def _floating_label(text: str, numbers: str, label: str, format: VersionFormat) -> VersionRange:  # noqa: A002
    release = parse_version(numbers, format)
    interval = Interval(minimum=_below_prereleases(release, text), maximum=release)
    return VersionRange(text=text, intervals=(interval,), prereleases=True, label=label)


def _below_prereleases(release: Version, text: str) -> Version:
    """A bound just under the first pre-release of a release, which no version can be equal to."""
    if release.format == "maven":
        raise PackageError(f"{text} floats over pre-releases, which Maven versions cannot; write [1.2-alpha,1.2]")
    return replace(release, key=(*release.key[:4], -1))


def _label(version: Version) -> str:
    return version.text.lower().partition("+")[0].partition("-")[2]
