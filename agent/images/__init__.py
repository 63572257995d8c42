"""From a tree of files to an image in a registry."""

from agent.images.build import ImageRequest, build
from agent.images.push import PushRequest, push
from agent.images.settings import BuildSettings

__all__ = ["BuildSettings", "ImageRequest", "PushRequest", "build", "push"]
