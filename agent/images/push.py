"""Push the image to its registry, unless the registry holds exactly this one under this tag."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from agent.host import ByteProgress, ContainerHost, Credentials, ImageInfo
    from agent.journal import Effects


class PushRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to push where. `in_registry` asks which digest the registry holds under the tag now."""

    reference: str
    image: ImageInfo
    credentials: Credentials | None
    in_registry: Callable[[], str | None]


def push(request: PushRequest, host: ContainerHost, journal: Effects, progress: ByteProgress) -> str:
    """The digest under which the registry holds the image (`sha256:…`)."""
    pushed_before = {digest.rpartition("@")[2] for digest in request.image.digests}
    if pushed_before:
        present = request.in_registry()
        if present in pushed_before:
            return present
    with journal.effect("push", "push", request.reference):
        return host.push(request.reference, request.credentials, progress)
