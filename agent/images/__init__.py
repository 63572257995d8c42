"""From a tree of files to an image in a registry."""

from agent.images.build import ImageRequest, build
from agent.images.configure import Configured, ConfigureRequest, configure
from agent.images.dockerfile_template import RenderedDockerfile, render_dockerfile
from agent.images.layer_cache import LayerCache
from agent.images.leaks import refuse_leaks
from agent.images.push import PushRequest, push
from agent.images.settings import BuildSettings, build_settings

__all__ = [
    "BuildSettings",
    "ConfigureRequest",
    "Configured",
    "ImageRequest",
    "LayerCache",
    "PushRequest",
    "RenderedDockerfile",
    "build",
    "build_settings",
    "configure",
    "push",
    "refuse_leaks",
    "render_dockerfile",
]
