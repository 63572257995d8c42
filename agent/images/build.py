"""Build the deployment's own image, once: the same content under the same tag is not built again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agent.errors import BuildError, HostError
from agent.images.bases import base_credentials
from agent.images.preflight import require_fitting_bases
from agent.images.settings import BuildSettings
from agent.images.unfinished import noting, remove_cut

if TYPE_CHECKING:
    from agent.host import BuildRequest, ContainerHost, Credentials, ImageInfo, LineSink
    from agent.journal import Effects


class ImageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One image to make from `tree`. `identity` are the labels that, when equal, mean the same content."""

    tree: Path
    reference: str
    settings: BuildSettings
    identity: Mapping[str, str]
    labels: Mapping[str, str]
    credentials: Mapping[str, Credentials] = {}
    """For base images in private registries, by the registry's name; others come from Docker's configuration."""


def build(
    request: ImageRequest, host: ContainerHost, journal: Effects, output: LineSink, log: Callable[[str], None]
) -> ImageInfo:
    """The image under its tag, built unless the host has it already. BuildError names instruction and line."""
    present = host.image(request.reference)
    if present is not None and request.identity.items() <= present.labels.items():
        log(f"{request.reference} is built already, from the same packages and configuration")
        return present
    _require_dockerfile(request)
    asked = _asked(request, host)
    require_fitting_bases(asked, host, log)
    with journal.effect("build", "build", request.reference):
        return _built(asked, host, noting(output, journal))


def _built(asked: BuildRequest, host: ContainerHost, output: LineSink) -> ImageInfo:
    try:
        return host.build(asked, output)
    except HostError:
        remove_cut(asked.labels, host)
        raise


def _asked(request: ImageRequest, host: ContainerHost) -> BuildRequest:
    asked = request.settings.request(request.tree)
    return replace(
        asked,
        tags=(request.reference,),
        labels={**request.labels, **request.identity},
        credentials=base_credentials(asked, request.credentials, host),
    )


def _require_dockerfile(request: ImageRequest) -> None:
    wanted = request.settings.request(request.tree).dockerfile
    path = request.tree / wanted
    if not path.is_file():
        raise BuildError(
            f"the source package has no {wanted}, and no {wanted}.j2; add one, or name another with build.dockerfile"
        )
    if not path.resolve().is_relative_to(request.tree.resolve()):
        raise BuildError(f"{wanted} is a link that leads out of the source package; put the file there instead")
