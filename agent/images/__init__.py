"""From a tree of files to an image in a registry."""

from agent.images.build import ImageRequest, build
from agent.images.configure import Configured, ConfigureRequest, configure
from agent.images.layer_cache import LayerCache
from agent.images.push import PushRequest, push
from agent.images.settings import BuildSettings

__all__ = [
    "BuildSettings",
    "ConfigureRequest",
    "Configured",
    "ImageRequest",
    "LayerCache",
    "PushRequest",
    "build",
    "configure",
    "push",
]
