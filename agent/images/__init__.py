"""From a tree of files to an image in a registry.

What only steps need (`placement`, `host_files`, `host_layer`, `known_files`) is imported from its own module, so that
commands start faster.
"""

from agent.images.build import ImageRequest, build
from agent.images.configure import Configured, ConfigureRequest, configure
from agent.images.contents import Found, find_files
from agent.images.dockerfile_template import RenderedDockerfile, render_dockerfile
from agent.images.layer import LayerContent
from agent.images.layer_cache import LayerCache
from agent.images.leaks import refuse_leaks
from agent.images.on_top import OnTop, put_on_top
from agent.images.opened import OpenImage, open_image
from agent.images.preflight import require_fitting_bases
from agent.images.push import PushRequest, push
from agent.images.rewriting import Doubt, Rewritten, exactly, layer_content, rewritten
from agent.images.settings import BuildSettings, build_settings
from agent.images.worktree import Changes, lay_out, take_back

__all__ = [
    "BuildSettings",
    "Changes",
    "ConfigureRequest",
    "Configured",
    "Doubt",
    "Found",
    "ImageRequest",
    "LayerCache",
    "LayerContent",
    "OnTop",
    "OpenImage",
    "PushRequest",
    "RenderedDockerfile",
    "Rewritten",
    "build",
    "build_settings",
    "configure",
    "exactly",
    "find_files",
    "lay_out",
    "layer_content",
    "open_image",
    "push",
    "put_on_top",
    "refuse_leaks",
    "render_dockerfile",
    "require_fitting_bases",
    "rewritten",
    "take_back",
]
