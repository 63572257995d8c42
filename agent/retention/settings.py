"""`retention:` of a step's inputs: how many deployments' images stay once a deployment is good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import msgspec

if TYPE_CHECKING:
    from agent.host import Credentials

Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """So many of each slot stay, on the host and in the registry; what is left out removes nothing there."""

    images: Count | None = None
    registry: Count | None = None


@dataclass(frozen=True, kw_only=True)
class ImageRetention:
    """The same, with the registry that the images were pushed to, if any, and the credentials for it."""

    settings: RetentionSettings
    registry: str = ""
    credentials: Credentials | None = None
