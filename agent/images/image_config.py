"""The config of an image: what the new one's is like, when that of its base and a layer are given.

Everything else in it is kept as it is, whatever it is: `os.version` for Windows, health checks, what builders add.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from agent.errors import InputError, RegistryError

if TYPE_CHECKING:
    from agent.host import OperatingSystem

_MOST_LAYERS = 125


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked at: the platform, the labels, the digests of the layers' contents, the history's comments."""

    os: str
    architecture: str
    labels: dict[str, str]
    diff_ids: tuple[str, ...]
    comments: tuple[str, ...] = ()

    def system(self, where: str) -> OperatingSystem:
        """InputError for what is neither Linux nor Windows."""
        if self.os == "linux":
            return "linux"
        if self.os == "windows":
            return "windows"
        raise InputError(f"{where} is for {self.os[:40]!r}; only Linux and Windows images can be configured")


class Addition(msgspec.Struct, frozen=True, kw_only=True):
    """A layer to put on top, or only labels if `diff_id` is "". `comment` says in the history where it comes from."""

    diff_id: str
    comment: str
    labels: Mapping[str, str]
    created: datetime


def read_config(data: bytes, layers: int, where: str) -> ImageConfig:
    """RegistryError for what is no image's config, or not that of an image with so many layers."""
    try:
        config = msgspec.json.decode(data, type=_Config)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RegistryError(f"{where}: its config is not understood ({str(error)[:200]})") from error
    if len(config.rootfs.diff_ids) != layers:
        raise RegistryError(
            f"{where}: its config speaks of {len(config.rootfs.diff_ids)} layers, its manifest of {layers}; not used"
        )
    labels = (config.config.labels if config.config else None) or {}
    comments = tuple(str(step.get("comment") or "") for step in config.history or ())
    return ImageConfig(
        os=config.os,
        architecture=config.architecture,
        labels=labels,
        diff_ids=config.rootfs.diff_ids,
        comments=comments,
    )


def with_layer(data: bytes, addition: Addition, where: str) -> bytes:
    """The config, which `read_config` took, with one more layer. InputError if that is more than engines take."""
    config: dict[str, Any] = msgspec.json.decode(data)
    diff_ids = config["rootfs"]["diff_ids"]
    created = addition.created.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if addition.diff_id and len(diff_ids) >= _MOST_LAYERS:
        raise InputError(f"{where} has {_MOST_LAYERS} layers, as many as engines take; configure the release's image")
    settings = config.get("config") or {}
    step: dict[str, str | bool] = {
        "created": created,
        "created_by": "dockwright configure",
        "comment": addition.comment,
    }
    if not addition.diff_id:
        step["empty_layer"] = True
    changed = {
        **config,
        "created": created,
        "config": {**settings, "Labels": {**(settings.get("Labels") or {}), **addition.labels}},
        "rootfs": {**config["rootfs"], "diff_ids": [*diff_ids, *filter(None, [addition.diff_id])]},
        "history": [*(config.get("history") or []), step],
    }
    return msgspec.json.encode(changed)


class _Settings(msgspec.Struct):
    labels: dict[str, str] | None = msgspec.field(default=None, name="Labels")


class _Root(msgspec.Struct):
    diff_ids: tuple[str, ...] = ()


class _Config(msgspec.Struct):
    os: str
    rootfs: _Root
    architecture: str = ""
    config: _Settings | None = None
    history: list[dict[str, Any]] | None = None
