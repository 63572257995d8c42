"""What the agent needs of a container host.

`ContainerHost` has three implementations that pass one contract test suite: the Engine API
(`agent/engine/api.py`), the docker command line over a remote shell, and an in-memory twin for tests
(`agent/testing/`). Failures are `HostError`, `BuildError`, `RegistryError` or `ContainerError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from agent.host.container import ContainerInfo, ContainerSpec, Port
from agent.host.image import BuildRequest, Credentials, ImageInfo

LineSink = Callable[[str], None]
"""Takes one line of foreign output, without its newline."""

ByteProgress = Callable[[int, int], None]
"""Takes (bytes done, bytes in all); the second is 0 while unknown."""

OperatingSystem = Literal["linux", "windows"]


@dataclass(frozen=True, kw_only=True)
class Platform:
    """The engine's platform: `linux/amd64`, or `windows/amd64` with the host's build in `os_version`."""

    os: OperatingSystem
    architecture: str
    os_version: str = ""
    engine_version: str = ""

    def __str__(self) -> str:
        return f"{self.os}/{self.architecture}"


@dataclass(frozen=True, kw_only=True)
class HostAddress:
    """Where a host is, and the password that opens it. A password never stands in a URL, an argv or a text."""

    url: str
    password: str = field(default="", repr=False)


class ContainerHost(Protocol):
    """A container engine somewhere. Names and ids are interchangeable where a container is named.

    A kind of host of one's own is a function `connect(address: HostAddress) -> ContainerHost`, registered in the
    entry point group `dockwright.hosts` under the scheme of its URLs. Connecting fails with HostError if the
    engine cannot be reached, and so may every call. What a call on a container or image raises beyond that stands
    with it; a library's own errors never come through. `agent/testing` has a host in memory, which behaves alike.
    """

    @property
    def url(self) -> str:
        """Where this is, as `--host` takes it, without any password."""
        ...

    @property
    def address(self) -> str:
        """The name or IP under which published ports answer, seen from the agent."""
        ...

    def platform(self) -> Platform:
        """What its engine runs. It is asked for often, and does not change."""
        ...

    def image(self, reference: str) -> ImageInfo | None:
        """The image of that id or reference if the host has it; nothing is pulled."""
        ...

    def images(self, labels: Mapping[str, str]) -> list[ImageInfo]:
        """All images that carry these labels; an empty value asks for the key only."""
        ...

    def pull(self, reference: str, credentials: Credentials | None, progress: ByteProgress) -> ImageInfo:
        """Fetch a tag, or a digest, whether or not it is there already. RegistryError if it cannot be had.

        Nobody's credentials are used but those that are given, and they stay nowhere.
        """
        ...

    def build(self, request: BuildRequest, output: LineSink) -> ImageInfo:
        """Build; each line the engine prints goes to `output`. BuildError names instruction and line.

        Tags and labels are there when the image is whole, never before.
        """
        ...

    def push(self, reference: str, credentials: Credentials | None, progress: ByteProgress) -> str:
        """Push and return the manifest's digest (`sha256:…`). RegistryError if the registry does not take it."""
        ...

    def tag(self, image: str, reference: str) -> None:
        """Give an image one more name, taken from another image if need be. BuildError if there is no such image."""
        ...

    def remove_image(self, reference: str) -> None:
        """Remove the reference (and the image with its last one); one that is not there is fine.

        ContainerError if a container, running or not, needs it.
        """
        ...

    def find(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        """All containers, running or not, that carry these labels; an empty value asks for the key only."""
        ...

    def publishing(self, port: Port) -> ContainerInfo | None:
        """The running container that publishes this host port, if any."""
        ...

    def inspect(self, container: str) -> ContainerInfo | None:
        """The container as it is now, or None if there is none such."""
        ...

    def create(self, spec: ContainerSpec) -> ContainerInfo:
        """Create a container, which does not run yet; nothing is pulled.

        ContainerError if the image is not there, the name is taken, or a network does not exist.
        """
        ...

    def start(self, container: str) -> None:
        """Start it; one that runs is fine. ContainerError if it is not there, or its port is taken."""
        ...

    def stop(self, container: str, timeout: int) -> None:
        """Ask it to end, and kill it after `timeout` seconds; one that does not run is fine."""
        ...

    def remove(self, container: str) -> None:
        """Kill if need be and remove, with its anonymous volumes; one that is not there is fine."""
        ...

    def logs(self, container: str, tail: int) -> list[str]:
        """The last `tail` lines of stdout and stderr together."""
        ...

    def wait(self, container: str, timeout: float) -> int:
        """The exit code once it has ended; ContainerError after `timeout` seconds."""
        ...

    def copy_out(self, container: str, path: str) -> Iterator[bytes]:
        """The file or folder as chunks of a tar stream. ContainerError if there is no such path."""
        ...

    def copy_in(self, container: str, path: str, archive: Iterable[bytes]) -> None:
        """Unpack a tar stream into the folder `path`, which must exist, of a container that may be stopped."""
        ...

    def follow(self, container: str, output: LineSink, tail: int = -1) -> None:
        """Each line of stdout and stderr as it comes, until the container ends.

        It begins with the first line, or with the last `tail` of those that are there already. A line beyond a
        mebibyte comes in pieces of that size.
        """
        ...

    def execute(self, container: str, command: Sequence[str], output: LineSink, timeout: float) -> int:
        """Run a program in a running container and return its exit code (126 or 127 if there is none such).

        ContainerError after `timeout` seconds; the program itself then ends with its container.
        """
        ...

    def close(self) -> None:
        """Give back connections, threads and shells. It fails with nothing, once is enough, and twice does no harm.

        Containers and images stay as they are. Whoever connects closes, by `with connection(address)` of
        `agent/plugins.py`; nothing else is asked of a host that was closed.
        """
        ...
