"""Build the deployment's own image, once: the same content under the same tag is not built again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agent.errors import BuildError
from agent.images.settings import BuildSettings

if TYPE_CHECKING:
    from agent.host import ContainerHost, ImageInfo, LineSink
    from agent.journal import Effects


class ImageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One image to make from `tree`. `identity` are the labels that, when equal, mean the same content."""

    tree: Path
    reference: str
    settings: BuildSettings
    identity: Mapping[str, str]
    labels: Mapping[str, str]


def build(
    request: ImageRequest, host: ContainerHost, journal: Effects, output: LineSink, log: Callable[[str], None]
) -> ImageInfo:
    """The image under its tag, built unless the host has it already. BuildError names instruction and line."""
    from agent.host import BuildRequest

    present = host.image(request.reference)
    if present is not None and request.identity.items() <= present.labels.items():
        log(f"{request.reference} is built already, from the same packages and configuration")
        return present
    _require_dockerfile(request)
    with journal.effect("build", "build", request.reference):
        return host.build(
            BuildRequest(
                context=request.tree,
                tags=(request.reference,),
                dockerfile=request.settings.dockerfile,
                arguments=request.settings.args,
                labels={**request.labels, **request.identity},
                target=request.settings.target,
                platform=request.settings.platform,
            ),
            output,
        )


def _require_dockerfile(request: ImageRequest) -> None:
    path = request.tree / request.settings.dockerfile
    if not path.is_file():
        raise BuildError(
            f"the source package has no {request.settings.dockerfile}; add one, or name another with build.dockerfile"
        )
