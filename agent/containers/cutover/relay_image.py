"""The image that our relay runs in. Nobody publishes the default, so whoever needs it is told what to do."""

from __future__ import annotations

from agent.containers.cutover.settings import RELAY_IMAGE, Hold
from agent.containers.cutover.shape import Shape
from agent.host import ContainerHost


def relay_warning(shape: Shape, host: ContainerHost) -> str:
    """For a plan: that the default image is needed and is not there; else nothing."""
    if (
        not isinstance(shape.cutover, Hold)
        or shape.cutover.image != RELAY_IMAGE
        or host.image(RELAY_IMAGE) is not None
    ):
        return ""
    return f"the relay of cutover: hold needs the image {RELAY_IMAGE}, which is not there; {relay_advice(host)}"


def relay_advice(host: ContainerHost) -> str:
    """How to come to an image that will do."""
    system = "windows" if host.platform().os == "windows" else "linux"
    return (
        "name any image with Python under run.cutover.image, or make this one, in dockwright's sources: "
        f"docker build -f {system}/agent.Dockerfile -t {RELAY_IMAGE} ."
    )
