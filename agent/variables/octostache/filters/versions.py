"""Parts of a version, as Octopus reads one: `v1.2.3.4-branch.5+meta`. All options are ignored."""

from __future__ import annotations

import re

_VERSION = re.compile(
    r"(?:[vV]?(?P<major>[0-9]+)(?:\.(?P<minor>[0-9]+))?(?:\.(?P<patch>[0-9]+))?(?:\.(?P<revision>[0-9]+))?)?"
    r"[.\-_]?(?P<pre>(?P<prefix>[^+.\-_\s]*)(?:[.\-_](?P<counter>[^+\s]*))?)(?:\+(?P<meta>\S*))?"
)
_LONGEST = 4096


def major(value: str | None, _options: tuple[str, ...]) -> str | None:
    return _number(value, "major")


def minor(value: str | None, _options: tuple[str, ...]) -> str | None:
    return _number(value, "minor")


def patch(value: str | None, _options: tuple[str, ...]) -> str | None:
    return _number(value, "patch")


def revision(value: str | None, _options: tuple[str, ...]) -> str | None:
    return _number(value, "revision")


def pre_release(value: str | None, _options: tuple[str, ...]) -> str | None:
    return _part(value, "pre")


def pre_release_prefix(value: str | None, _options: tuple[str, ...]) -> str | None:
    return _part(value, "prefix")


def pre_release_counter(value: str | None, _options: tuple[str, ...]) -> str | None:
    return _part(value, "counter")


def metadata(value: str | None, _options: tuple[str, ...]) -> str | None:
    return _part(value, "meta")


def _number(value: str | None, name: str) -> str | None:
    digits = _part(value, name)
    return None if digits is None else digits.lstrip("0") or "0"


def _part(value: str | None, name: str) -> str | None:
    """The part, empty if absent; None for what is no version, where Octostache throws."""
    if value is None or len(value) > _LONGEST:
        return None
    found = _VERSION.fullmatch(value.strip())
    numbers = found.group("major", "minor", "patch", "revision") if found else ()
    if found is None or not value.strip() or any(int(number or 0) >= 2**31 for number in numbers):
        return None
    return found[name] or ""
