"""The host itself: ContainerHost's methods over images and containers in memory."""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from agent.errors import BuildError, ContainerError, DockwrightError, RegistryError
from agent.host import (
    BuildRequest,
    ByteProgress,
    ContainerInfo,
    ContainerSpec,
    Credentials,
    ImageInfo,
    LineSink,
    Platform,
    Port,
)
from agent.registry.reference import ImageReference
from agent.testing.memory_container import Behaviour, MemoryContainer
from agent.testing.memory_images import (
    MemoryImages,
    built_image,
    check_bases,
    dockerfile_steps,
    new_image,
    reference_key,
)

_LINUX = Platform(os="linux", architecture="amd64", engine_version="0-memory")


@dataclass(frozen=True, kw_only=True)
class Login:
    """One use of a registry, and by whom; `username` is "" for nobody."""

    operation: str
    reference: str
    username: str


class MemoryHost:
    """A ContainerHost without an engine. What was asked of it stands in `builds`, `logins` and `calls`.

    `behaviour` and `required_credentials` (by registry) may be changed at any time.
    """

    def __init__(
        self,
        *,
        behaviour: Callable[[ContainerSpec], Behaviour] = lambda _spec: Behaviour(),
        platform: Platform = _LINUX,
        url: str = "memory://",
    ) -> None:
        self.behaviour = behaviour
        self.required_credentials: dict[str, Credentials] = {}
        self.builds: list[BuildRequest] = []
        self.logins: list[Login] = []
        self.calls: list[str] = []
        self._platform = platform
        self._url = url
        self._images = MemoryImages()
        self._containers: dict[str, MemoryContainer] = {}
        self._failures: defaultdict[str, list[DockwrightError]] = defaultdict(list)
        self._numbers = itertools.count(1)
        self._seconds = itertools.count(1_700_000_000)

    def fail_next(self, operation: str, error: DockwrightError) -> None:
        """Let the next call of that name (`"start"`, `"push"`, …) fail with `error`, and have no effect."""
        self._failures[operation].append(error)

    def add_image(self, reference: str, *, labels: Mapping[str, str] | None = None, healthcheck: bool = False) -> str:
        """Let the host have an image; its id is returned."""
        image = self._made_for_us(new_image(reference, labels or {}, healthcheck=healthcheck))
        self._images.here[image.id] = image
        self._images.tag(image.id, reference)
        return image.id

    def put_image(self, image: ImageInfo) -> None:
        """Let the host have this image as it is."""
        self._images.here[image.id] = image

    def add_remote_image(self, reference: str, *, labels: Mapping[str, str] | None = None) -> str:
        """Let the reference's registry have an image; its digest is returned."""
        return self._images.publish(self._made_for_us(new_image(reference, labels or {})), reference)

    @property
    def url(self) -> str:
        return self._url

    @property
    def address(self) -> str:
        return "127.0.0.1"

    def platform(self) -> Platform:
        self._called("platform")
        return self._platform

    def image(self, reference: str) -> ImageInfo | None:
        self._called("image", reference)
        return self._images.find(reference)

    def images(self, labels: Mapping[str, str]) -> list[ImageInfo]:
        self._called("images")
        return [image for image in self._images.here.values() if _carries(image.labels, labels)]

    def pull(self, reference: str, credentials: Credentials | None, progress: ByteProgress) -> ImageInfo:
        self._called("pull", reference)
        self._log_in("pull", reference, credentials)
        remote = self._images.find_remote(reference)
        if remote is None:
            raise RegistryError(f"cannot pull {reference}: the registry has no such image; see name and tag")
        progress(remote.size, remote.size)
        return self._images.fetch(reference, remote)

    def build(self, request: BuildRequest, output: LineSink) -> ImageInfo:
        self._called("build", *request.tags)
        self.builds.append(request)
        steps = dockerfile_steps(request)
        check_bases(request, steps, self._images)
        for number, step in enumerate(steps, start=1):
            output(f"Step {number}/{len(steps)} : {step.text}")
        image = self._made_for_us(built_image(request, steps))
        self._images.here.setdefault(image.id, image)
        for tag in request.tags:
            self._images.tag(image.id, tag)
        return self._images.here[image.id]

    def push(self, reference: str, credentials: Credentials | None, progress: ByteProgress) -> str:
        self._called("push", reference)
        self._log_in("push", reference, credentials)
        image = self._images.find(reference)
        if image is None:
            raise RegistryError(f"cannot push {reference}: this host has no such image; build or pull it first")
        progress(image.size, image.size)
        return self._images.publish(image, reference)

    def tag(self, image: str, reference: str) -> None:
        self._called("tag", image, reference)
        found = self._images.find(image)
        if found is None:
            raise BuildError(f"{self._url}: cannot tag {image} as {reference}: no such image")
        self._images.tag(found.id, reference)

    def remove_image(self, reference: str) -> None:
        self._called("remove_image", reference)
        image = self._images.find(reference)
        if image is None:
            return
        tags = tuple(tag for tag in image.tags if reference_key(tag) != reference_key(reference))
        if tags and not reference.startswith("sha256:"):
            self._images.here[image.id] = replace(image, tags=tags)
            return
        if any(container.image_id == image.id for container in self._containers.values()):
            raise ContainerError(f"{self._url}: cannot remove the image {reference}: a container uses it")
        del self._images.here[image.id]

    def find(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        self._called("find")
        found = [container for container in self._containers.values() if _carries(container.spec.labels, labels)]
        return [container.look() for container in reversed(found)]

    def publishing(self, port: Port) -> ContainerInfo | None:
        self._called("publishing", str(port))
        container = self._publisher(port)
        return container.look() if container else None

    def inspect(self, container: str) -> ContainerInfo | None:
        self._called("inspect", container)
        found = self._found(container)
        return found.look() if found else None

    def create(self, spec: ContainerSpec) -> ContainerInfo:
        self._called("create", spec.name)
        doing = f"{self._url}: cannot create the container {spec.name}"
        if other := self._found(spec.name):
            raise ContainerError(f"{doing}: the name {spec.name} is taken by container {other.id[:12]}")
        image = self._images.find(spec.image)
        if image is None:
            raise ContainerError(f"{doing}: No such image: {spec.image}")
        number = next(self._numbers)
        container = MemoryContainer(
            id=hashlib.sha256(f"container {number}".encode()).hexdigest(),
            number=number,
            spec=spec,
            image_id=image.id,
            behaviour=self.behaviour(spec),
            clock=self._now,
            created=self._now(),
        )
        self._containers[container.id] = container
        return container.look()

    def start(self, container: str) -> None:
        self._called("start", container)
        found = self._existing(container, "start")
        if found.active:
            return
        for port in found.spec.ports:
            if port.host and self._publisher(port):
                raise ContainerError(
                    f"{self._url}: cannot start {container}: port {port.host} is already taken on the host; "
                    "stop what uses it or publish another"
                )
        found.begin()

    def stop(self, container: str, timeout: int) -> None:  # noqa: ARG002  it never takes any time here
        self._called("stop", container)
        found = self._existing(container, "stop")
        if found.active:
            found.end(143)

    def remove(self, container: str) -> None:
        self._called("remove", container)
        if found := self._found(container):
            del self._containers[found.id]

    def logs(self, container: str, tail: int) -> list[str]:
        self._called("logs", container)
        found = self._existing(container, "read the output of")
        return list(found.behaviour.output[-tail:]) if found.started and tail > 0 else []

    def wait(self, container: str, timeout: float) -> int:
        """No time passes: one that runs on would never end, so that its timeout is over at once."""
        self._called("wait", container)
        found = self._existing(container, "wait for")
        if found.active:
            raise ContainerError(f"{self._url}: {container} had not ended after {timeout:g} s")
        return found.exit_code

    def copy_out(self, container: str, path: str) -> Iterator[bytes]:
        self._called("copy_out", container)
        archive = self._existing(container, f"copy {path} out of").archive(path)
        if archive is None:
            raise ContainerError(f"{self._url}: cannot copy {path} out of {container}: there is no such file")
        return iter([archive])

    def copy_in(self, container: str, path: str, archive: Iterable[bytes]) -> None:
        self._called("copy_in", container)
        self._existing(container, f"copy into {path} of").unpack(path, b"".join(archive))

    def follow(self, container: str, output: LineSink, tail: int = -1) -> None:
        """No time passes: one that runs on has printed all that it ever will."""
        self._called("follow", container)
        found = self._existing(container, "follow the output of")
        lines = found.behaviour.output if found.started else ()
        for line in lines[-tail:] if tail > 0 else lines if tail else ():
            output(line)

    def execute(self, container: str, command: Sequence[str], output: LineSink, timeout: float) -> int:
        self._called("execute", container, *command)
        found = self._existing(container, f"run {command[0]} in")
        if found.state != "running":
            raise ContainerError(f"{self._url}: cannot run {command[0]} in {container}: it is not running")
        done = found.behaviour.programs(tuple(command))
        for line in done.output:
            output(line)
        if done.exit_code is None:
            raise ContainerError(f"{self._url}: {command[0]} had not ended in {container} after {timeout:g} s")
        return done.exit_code

    def close(self) -> None:
        self._called("close")

    def _called(self, operation: str, *arguments: str) -> None:
        self.calls.append(" ".join((operation, *arguments)))
        if self._failures[operation]:
            raise self._failures[operation].pop(0)

    def _log_in(self, operation: str, reference: str, credentials: Credentials | None) -> None:
        username = credentials.username if credentials else ""
        self.logins.append(Login(operation=operation, reference=reference, username=username))
        required = self.required_credentials.get(ImageReference.parse(reference).registry)
        if required is not None and credentials != required:
            raise RegistryError(f"cannot {operation} {reference}: the registry wants other credentials")

    def _made_for_us(self, image: ImageInfo) -> ImageInfo:
        ours = self._platform
        return replace(image, os=ours.os, architecture=ours.architecture, os_version=ours.os_version)

    def _found(self, name: str) -> MemoryContainer | None:
        by_id = self._containers.get(name)
        return by_id or next((one for one in self._containers.values() if one.spec.name == name), None)

    def _existing(self, name: str, doing: str) -> MemoryContainer:
        found = self._found(name)
        if found is None:
            raise ContainerError(f"{self._url}: cannot {doing} {name}: there is no such container")
        return found

    def _publisher(self, port: Port) -> MemoryContainer | None:
        return next((one for one in self._containers.values() if one.publishes(port)), None)

    def _now(self) -> str:
        """A clock that steps a second each time it is asked, so that order can be seen and runs are alike."""
        return datetime.fromtimestamp(next(self._seconds), UTC).isoformat().replace("+00:00", "Z")


def _carries(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(key in labels and value in ("", labels[key]) for key, value in wanted.items())
