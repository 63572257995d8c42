"""A container host: what the agent needs of it, and the values that pass to and from it."""

from agent.host.container import (
    ContainerInfo,
    ContainerSpec,
    ContainerState,
    Device,
    Health,
    HealthCommand,
    Network,
    Port,
    Privileges,
    Resources,
    Ulimit,
    Volume,
)
from agent.host.host import (
    ByteProgress,
    ContainerHost,
    HostAddress,
    LineSink,
    OperatingSystem,
    Platform,
)
from agent.host.image import (
    BuildRequest,
    Credentials,
    ImageInfo,
    Isolation,
)

__all__ = [
    "BuildRequest",
    "ByteProgress",
    "ContainerHost",
    "ContainerInfo",
    "ContainerSpec",
    "ContainerState",
    "Credentials",
    "Device",
    "Health",
    "HealthCommand",
    "HostAddress",
    "ImageInfo",
    "Isolation",
    "LineSink",
    "Network",
    "OperatingSystem",
    "Platform",
    "Port",
    "Privileges",
    "Resources",
    "Ulimit",
    "Volume",
]
