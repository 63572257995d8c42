"""Before anything is stopped: whether this host can run the container at all, and as it was asked to.

The engine would say so too, but some of it only when the container starts, with the old one stopped by then, and
some of it never.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from agent.engine.compatibility import STOP_SECONDS, objection, told_by_name
from agent.errors import ContainerError
from agent.host import ContainerHost, ContainerSpec, Platform

_USUAL_STOP: Final = 10


def require_fitting(spec: ContainerSpec, host: ContainerHost, log: Callable[[str], None]) -> None:
    """ContainerError for an image or a setting that means nothing there; `log` gets what will not be heeded."""
    platform = host.platform()
    _require_settings(spec, host.url, platform)
    image = host.image(spec.image)
    system, version = (image.os, image.os_version) if image is not None else told_by_name(spec.image)
    if reason := objection(spec.image, system, version, platform, spec.isolation):
        raise ContainerError(f"{host.url}: {reason}")
    if platform.os == "windows" and spec.stop_timeout > STOP_SECONDS and spec.stop_timeout != _USUAL_STOP:
        log(
            f"Windows gives {spec.name} {STOP_SECONDS} s to end, and not the {spec.stop_timeout} s "
            "of run.stop-timeout, unless its image sets ProcessShutdownTimeoutSeconds and WaitToKillServiceTimeout"
        )


def _require_settings(spec: ContainerSpec, url: str, platform: Platform) -> None:
    if platform.os == "windows":
        return
    for name, setting in (("isolation", spec.isolation), ("credential-spec", spec.credential_spec)):
        if setting:
            raise ContainerError(
                f"{url}: run.{name} is for Windows containers, and this engine runs {platform}; "
                "take it out, or choose another --host"
            )
