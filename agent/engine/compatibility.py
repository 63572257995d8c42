"""Whether an image can run on an engine: its operating system, and for Windows the build of both.

Windows containers share the host's kernel ("process" isolation) or bring a small virtual machine ("hyperv"). For
process isolation the build of the image must be that of the host; from Server 2022 on, an image between the host's
previous long-term version and the host's own build runs too. Under Hyper-V anything not newer than the host runs.
(Microsoft's version compatibility table; the rule in code is hcsshim's CheckHostAndContainerCompat.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from agent.host import Isolation, Platform

LONG_TERM: Final = {14393: "ltsc2016", 17763: "ltsc2019", 20348: "ltsc2022", 26100: "ltsc2025"}
"""Builds of the long-term versions, by the tag that Microsoft gives images of them."""

STOP_SECONDS: Final = 5
"""What Windows gives a container to end, whatever it is asked, unless the image's registry says otherwise."""

_RELAXED_FROM: Final = 20348
_WINDOWS_NAMES: Final = re.compile(
    r"^mcr\.microsoft\.com/(windows|dotnet/framework)([/:@]|$)|:[^/]*(windowsservercore|nanoserver|ltsc20\d\d)"
)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Which isolation an image can run with on a host; `advice` is one line for a person, empty if all is well."""

    process: bool
    hyperv: bool
    advice: str = ""

    def allows(self, isolation: Isolation) -> bool:
        """Whether it runs so; an engine that is left the choice takes process isolation on a server."""
        return self.hyperv if isolation == "hyperv" else self.process


def build_number(os_version: str) -> int:
    """The build in `10.0.20348.2340`; 0 where it is not told."""
    found = re.match(r"\d+\.\d+\.(\d+)", os_version)
    return int(found[1]) if found else 0


def told_by_name(reference: str) -> tuple[str, str]:
    """The system and its version that an image's name tells, as Microsoft's do; nothing where it does not."""
    if not _WINDOWS_NAMES.search(reference):
        return "", ""
    build = next((build for build, tag in LONG_TERM.items() if tag in reference.rpartition(":")[2]), 0)
    return "windows", f"10.0.{build}" if build else ""


def windows_name(build: int) -> str:
    """`ltsc2022 (build 20348)`, or the build alone."""
    name = LONG_TERM.get(build)
    return f"{name} (build {build})" if name else f"build {build}"


def judge(host: int, image: int) -> Verdict:
    """Windows builds of host and image. One that is not known is not judged."""
    if not host or not image:
        return Verdict(process=True, hyperv=True)
    verdict = _verdict(host, image)
    if verdict.process:
        return verdict
    fitting = ", ".join(f"-{tag}" for tag in fitting_tags(host))
    way = "set isolation: hyperv, or " if verdict.hyperv else ""
    return Verdict(
        process=False,
        hyperv=verdict.hyperv,
        advice=(
            f"it is made for Windows {windows_name(image)} and the host is {windows_name(host)}; "
            f"{way}use a base image whose tag ends in {fitting or 'the version of the host'}"
        ),
    )


def fitting_tags(host: int, isolation: Isolation = "") -> tuple[str, ...]:
    """The tags of base images that a host of that build can run, the newest first."""
    return tuple(
        tag for build, tag in sorted(LONG_TERM.items(), reverse=True) if _verdict(host, build).allows(isolation)
    )


def objection(name: str, system: str, os_version: str, platform: Platform, isolation: Isolation) -> str:
    """Why the image `name` cannot run there, in one line; empty if it can, or if too little is known of it."""
    if system and system != platform.os:
        there, here = ("Windows", "Linux") if system == "windows" else ("Linux", "Windows")
        host = "winrm://USER@HOST, or npipe:// on the machine itself" if there == "Windows" else "ssh://USER@HOST"
        return (
            f"{name} is an image for {there}, and the engine runs {here} containers; "
            f"give a {there} host (--host {host}), or choose an image for {here}"
        )
    if platform.os != "windows":
        return ""
    verdict = judge(build_number(platform.os_version), build_number(os_version))
    return "" if verdict.allows(isolation) else f"{name} cannot run on this host: {verdict.advice}"


def isolation_lines(platform: Platform) -> Iterable[str]:
    """What a Windows host can run, for `dockwright doctor`."""
    build = build_number(platform.os_version)
    yield f"the host is Windows {windows_name(build)}"
    process, hyperv = fitting_tags(build), fitting_tags(build, "hyperv")
    yield f"base images it runs as they are: {_listed(process)}"
    more = tuple(tag for tag in hyperv if tag not in process)
    if more:
        yield f"with isolation: hyperv also: {_listed(more)}"
    yield f"a container gets {STOP_SECONDS} s to end, unless its image says otherwise in its registry"


def _verdict(host: int, image: int) -> Verdict:
    process = image == host or (host >= _RELAXED_FROM and _previous(host) <= image <= host)
    return Verdict(process=process, hyperv=image <= host)


def _previous(host: int) -> int:
    """The long-term version before the host's own; an interim build's is the last one before it."""
    before = [build for build in LONG_TERM if build < host]
    return max(before) if before and max(before) >= _RELAXED_FROM else host


def _listed(tags: tuple[str, ...]) -> str:
    return ", ".join(f"-{tag}" for tag in tags) or "none that is known"
