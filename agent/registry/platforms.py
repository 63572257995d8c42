"""Which image of an index is meant."""

from __future__ import annotations

from collections.abc import Sequence

from agent.errors import InputError, RegistryError
from agent.registry.documents import Descriptor, PlatformEntry

_ATTESTATION = "vnd.docker.reference.type"


def choose(entries: Sequence[Descriptor], platform: str, where: str) -> Descriptor:
    """The entry for `platform` (`linux/amd64`, `linux/arm/v7`, `windows/amd64:10.0.20348`), or the only one.

    As Docker for Windows: an entry of the same build, and of these the newest revision. InputError, naming what
    there is, if none fits or none was said and there are several.
    """
    images = [entry for entry in entries if _is_image(entry)]
    if not images:
        raise RegistryError(f"{where} is an index without images; see the reference")
    fitting = [entry for entry in images if not platform or _fits(entry.platform or PlatformEntry(), platform)]
    if not platform and len({_named(entry) for entry in images}) > 1:
        raise InputError(f"{where} is for several platforms; choose one of {_listed(images)} with --platform")
    if not fitting:
        raise InputError(f"{where} is not there for {platform[:60]!r}; there is {_listed(images)}")
    return max(fitting, key=lambda entry: _revision(entry.platform or PlatformEntry()))


def _is_image(entry: Descriptor) -> bool:
    """BuildKit lists attestations beside images, as of the platform unknown/unknown."""
    return _ATTESTATION not in entry.annotations and _named(entry) != "unknown/unknown"


def _fits(entry: PlatformEntry, platform: str) -> bool:
    name, _, version = platform.partition(":")
    parts = name.split("/")
    known = [entry.os, entry.architecture, entry.variant]
    if known[: len(parts)] != parts or len(parts) < 2:
        return False
    return not version or _build(entry.os_version) == _build(version)


def _build(version: str) -> list[str]:
    return version.split(".")[:3]


def _revision(entry: PlatformEntry) -> tuple[int, ...]:
    return tuple(int(part) if part.isascii() and part.isdigit() else 0 for part in entry.os_version.split("."))


def _listed(images: Sequence[Descriptor]) -> str:
    names = sorted({_named(entry) for entry in images})
    return ", ".join(names[:20])


def _named(entry: Descriptor) -> str:
    platform = entry.platform or PlatformEntry()
    variant = f"/{platform.variant}" if platform.variant else ""
    version = f":{platform.os_version}" if platform.os_version else ""
    return f"{platform.os}/{platform.architecture}{variant}{version}"
