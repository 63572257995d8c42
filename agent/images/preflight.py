"""Before anything is built: whether the engine can run the base images at all.

A mismatch would show after minutes of pulling, as "The container operating system does not match the host". What
the engine has already is asked of it, the rest of the registries; a registry that cannot be asked stops nothing,
because the engine may well reach it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from agent.engine.compatibility import objection, told_by_name
from agent.errors import BuildError, DockwrightError, InputError
from agent.images.bases import base_images
from agent.registry.reference import ImageReference

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.host import BuildRequest, ContainerHost, Credentials, Platform

LARGEST_CONFIG = 8 * 1024 * 1024


class _Config(msgspec.Struct):
    os: str = ""
    os_version: str = msgspec.field(default="", name="os.version")


def require_fitting_bases(request: BuildRequest, host: ContainerHost, log: Callable[[str], None]) -> None:
    """BuildError, with the tags that would do, for a base image that this engine cannot run.

    Linux engines emulate other processors, and a build for another system is what `platform` asks for.
    """
    platform = host.platform()
    if platform.os != "windows":
        _require_no_isolation(request, host.url, platform)
        if request.platform.startswith("windows"):
            return
    for base in base_images(request):
        made_for = _made_for(base, request, host, platform, log)
        if reason := objection(str(base), made_for.os, made_for.os_version, platform, request.isolation):
            raise BuildError(f"{request.dockerfile}: {reason}")


def _require_no_isolation(request: BuildRequest, url: str, platform: Platform) -> None:
    if request.isolation:
        raise BuildError(
            f"{url}: build.isolation is for Windows containers, and this engine runs {platform}; "
            "take it out, or choose another --host"
        )


def _made_for(
    base: ImageReference, request: BuildRequest, host: ContainerHost, platform: Platform, log: Callable[[str], None]
) -> _Config:
    present = None if request.pull else host.image(str(base))
    if present is not None:
        return _Config(os=present.os, os_version=present.os_version)
    by_name = _Config(*told_by_name(str(base)))
    if platform.os != "windows":
        return by_name  # for others, a Linux engine says at once what is wrong with them
    try:
        return _asked(base, request.credentials.get(base.registry), platform)
    except InputError as error:  # it is there, but not for this system
        raise BuildError(f"{request.dockerfile}: {error}; choose another base image, or another --host") from error
    except DockwrightError as error:
        if by_name.os_version:
            return by_name
        log(f"whether {base} fits this host is not known: {error}")
        return _Config()


def _asked(base: ImageReference, credentials: Credentials | None, platform: Platform) -> _Config:
    from agent.registry import RegistryClient, find_credentials

    with RegistryClient(base.registry, find_credentials(base.registry, credentials)) as client:
        wanted = f"{platform}:{platform.os_version}" if platform.os_version else str(platform)
        try:
            image = client.image(base.repository, base.selector, wanted)
        except DockwrightError:
            image = client.image(base.repository, base.selector, str(platform))
        if image is None:
            return _Config()
        data = client.load_blob(base.repository, image.manifest.config, LARGEST_CONFIG)
    try:
        return msgspec.json.decode(data, type=_Config)
    except msgspec.DecodeError:
        return _Config()
