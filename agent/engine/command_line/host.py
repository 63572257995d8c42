"""The host itself: ContainerHost's methods as docker commands, their JSON read as the Engine API's is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from agent.engine import translate, wire
from agent.engine.command_line import following
from agent.engine.command_line.arguments import create_arguments, environment_file, label_filters
from agent.engine.command_line.building import build_image
from agent.engine.command_line.private import logged_in
from agent.engine.command_line.program import CALL_SECONDS, DockerProgram, Ended, Streamed, is_lost
from agent.engine.container_logs import each_line
from agent.engine.failures import registry_refusal
from agent.engine.networks import is_built_in, missing
from agent.engine.removal import IN_PROGRESS, await_removal
from agent.engine.shell import Shell
from agent.engine.translate import checked_container, checked_image
from agent.engine.way import Way
from agent.errors import BuildError, ContainerError, HostError, RegistryError
from agent.host import (
    BuildRequest,
    ByteProgress,
    ContainerInfo,
    ContainerSpec,
    Credentials,
    ImageInfo,
    LineSink,
    Network,
    Platform,
    Port,
)

TRANSFER_SECONDS = 3600.0
TRANSFER_SILENCE = 600.0
_INSPECTED_AT_ONCE = 20
_ENGINE_SAYS = b"Error response from daemon: "

T = TypeVar("T")


class CommandLineHost:
    """A ContainerHost whose docker program `shell` runs; `way` is how the shell is reached."""

    def __init__(self, shell: Shell, way: Way | None = None) -> None:
        self.way = way
        self._shell = shell
        self._docker = DockerProgram(shell)

    @property
    def url(self) -> str:
        return self._shell.url

    @property
    def address(self) -> str:
        return self._shell.address

    def platform(self) -> Platform:
        doing = "ask for its platform"
        said = self._checked(["version", "--format={{json .Server}}"], doing, HostError)
        version = self._decoded(said.output, wire.Version)
        about = wire.Information()
        if version.os == "windows":
            said = self._checked(["info", "--format={{json .}}"], doing, HostError)
            about = self._decoded(said.output, wire.Information)
        return translate.platform(version, about)

    def image(self, reference: str) -> ImageInfo | None:
        found = self._inspected("image", [checked_image(reference)], wire.Image)
        return translate.image_info(found[0]) if found else None

    def images(self, labels: Mapping[str, str]) -> list[ImageInfo]:
        said = self._checked(
            ["image", "ls", "--all", "--no-trunc", "--quiet", *label_filters(labels)], "list images", HostError
        )
        found = self._inspected("image", list(dict.fromkeys(said.output.decode().split())), wire.Image)
        return [translate.image_info(each) for each in found]

    def pull(self, reference: str, credentials: Credentials | None, progress: ByteProgress) -> ImageInfo:
        self._transfer("pull", checked_image(reference), credentials)
        image = self.image(reference)
        if image is None:
            raise RegistryError(f"{self.url}: pulled {reference}, but the engine does not have it; try again")
        progress(image.size, image.size)
        return image

    def build(self, request: BuildRequest, output: LineSink) -> ImageInfo:
        for tag in request.tags:
            checked_image(tag)
        with logged_in(self._shell, self._docker, request.credentials) as configuration:
            built = build_image(self._docker, request, output, configuration)
        for tag in request.tags:
            self.tag(built, tag)
        image = self.image(built)
        if image is None:
            raise BuildError(f"{self.url}: the image {built} vanished after its build; build it again")
        return image

    def push(self, reference: str, credentials: Credentials | None, progress: ByteProgress) -> str:
        said = self._transfer("push", checked_image(reference), credentials)
        digest = next((word for word in said.split() if word.startswith("sha256:") and len(word) == 71), "")
        if not digest:
            raise RegistryError(f"{self.url}: pushed {reference}, but docker does not say with which digest")
        image = self.image(reference)
        progress(image.size if image else 0, image.size if image else 0)
        return digest

    def tag(self, image: str, reference: str) -> None:
        doing = f"tag {image} as {reference}"
        self._checked(["tag", checked_image(image), checked_image(reference)], doing, BuildError)

    def remove_image(self, reference: str) -> None:
        ended = self._docker.run_surely(["image", "rm", checked_image(reference)])
        if ended.status and "no such image" not in ended.said.lower():
            self._docker.require(ended, f"remove the image {reference}", ContainerError)

    def find(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        return self._containers(["--all", *label_filters(labels)])

    def publishing(self, port: Port) -> ContainerInfo | None:
        for found in self._containers([f"--filter=publish={port.host}/{port.protocol}"]):
            for used in found.ports:
                same = used.host == port.host and used.protocol == port.protocol
                if same and translate.overlaps(port, used.address):
                    return found
        return None

    def inspect(self, container: str) -> ContainerInfo | None:
        found = self._inspected("container", [checked_container(container)], wire.Container)
        return translate.container_info(found[0]) if found else None

    def create(self, spec: ContainerSpec) -> ContainerInfo:
        name = checked_container(spec.name)
        checked_image(spec.image)
        for network in spec.networks:
            self._require(network)
        self._create_once(spec)
        try:
            for network in spec.networks[1:]:
                aliases = [f"--alias={alias}" for alias in network.aliases]
                arguments = ["network", "connect", *aliases, network.name, name]
                self._docker.require(self._docker.run(arguments), f"create the container {name}", ContainerError)
            info = self.inspect(name)
        except BaseException:
            self.remove(name)
            raise
        if info is None:
            raise ContainerError(f"{self.url}: the container {name} vanished as soon as it was created")
        return info

    def start(self, container: str) -> None:
        self._checked(["start", checked_container(container)], f"start {container}", ContainerError)

    def stop(self, container: str, timeout: int) -> None:
        arguments = ["stop", f"--time={timeout}", checked_container(container)]
        ended = self._docker.run_surely(arguments, timeout=CALL_SECONDS + timeout)
        self._docker.require(ended, f"stop {container}", ContainerError)

    def remove(self, container: str) -> None:
        ended = self._docker.run_surely(["rm", "--force", "--volumes", checked_container(container)])
        said = ended.said.lower()
        if ended.status and IN_PROGRESS in said:
            await_removal(self, container)
        elif ended.status and "no such container" not in said:
            self._docker.require(ended, f"remove {container}", ContainerError)

    def logs(self, container: str, tail: int) -> list[str]:
        if tail <= 0:
            return []
        streamed = self._docker.stream(["logs", f"--tail={tail}", checked_container(container)], timeout=CALL_SECONDS)
        lines = list(each_line(streamed.pieces))
        self._docker.require(streamed.ended, f"read the output of {container}", ContainerError)
        return lines[-tail:]

    def wait(self, container: str, timeout: float) -> int:
        try:
            ended = self._docker.run_surely(["wait", checked_container(container)], timeout=timeout)
        except HostError as error:
            if not isinstance(error.__cause__, TimeoutError):
                raise
            raise ContainerError(f"{self.url}: {container} had not ended after {timeout:g} s") from error
        self._docker.require(ended, f"wait for {container}", ContainerError)
        return int(ended.output.split()[-1])

    def copy_out(self, container: str, path: str) -> Iterator[bytes]:
        name = checked_container(container)
        streamed = self._docker.stream(["cp", f"{name}:{path}", "-"], silence=TRANSFER_SILENCE)
        first = next((piece for stream, piece in streamed.pieces if stream == 1), b"")
        if not first:
            self._docker.require(streamed.ended, f"copy {path} out of {container}", ContainerError)
        return self._archive(first, streamed, f"copy {path} out of {container}")

    def copy_in(self, container: str, path: str, archive: Iterable[bytes]) -> None:
        arguments = ["cp", "-", f"{checked_container(container)}:{path}"]
        doing = f"copy into {path} of {container}"
        ended = self._docker.run(arguments, given=archive, timeout=TRANSFER_SECONDS)
        if ended.status:
            self._present(container, doing)  # docker itself would say that the folder is none
        self._docker.require(ended, doing, ContainerError)

    def follow(self, container: str, output: LineSink, tail: int = -1) -> None:
        doing = f"follow the output of {container}"
        following.follow(self._docker, lambda: self._present(container, doing), output, tail)

    def execute(self, container: str, command: Sequence[str], output: LineSink, timeout: float) -> int:
        doing = f"run {command[0]} in {container}"
        found = self._present(container, doing)
        if not found.running:
            raise ContainerError(f"{self.url}: cannot {doing}: the container {container} is not running")
        streamed = self._docker.stream(["exec", found.id, *command], timeout=timeout)
        try:
            for line in each_line(streamed.pieces):
                output(line)
        except HostError as error:
            if not isinstance(error.__cause__, TimeoutError):
                raise
            message = f"{self.url}: {command[0]} had not ended in {container} after {timeout:g} s"
            raise ContainerError(message) from error
        ended = streamed.ended
        if ended.status == 1 and ended.errors.startswith(_ENGINE_SAYS):
            self._docker.require(ended, doing, ContainerError)
        return ended.status

    def close(self) -> None:
        self._docker.end()

    def _require(self, network: Network) -> None:
        """An engine would miss it at the start only."""
        if not is_built_in(network):
            ended = self._docker.run_surely(["network", "inspect", "--format={{.Id}}", "--", network.name])
            if ended.status and any(phrase in ended.said.lower() for phrase in ("no such network", "not found")):
                raise missing(network, self.url)
            self._docker.require(ended, f"look for the network {network.name}", HostError)

    def _create_once(self, spec: ContainerSpec) -> None:
        """After a failure on the way it is looked whether the container was made; if not, a lost one is made now."""
        try:
            self._create(spec)
        except HostError as error:
            if self._is_made(spec):
                return
            if not is_lost(error):
                raise
            self._create_again(spec)

    def _create_again(self, spec: ContainerSpec) -> None:
        try:
            self._create(spec)
        except ContainerError:
            if not self._is_made(spec):  # else what was lost was still under way, and has the name now
                raise

    def _is_made(self, spec: ContainerSpec) -> bool:
        found = self.inspect(spec.name)
        return found is not None and translate.is_as_specified(found, spec)

    def _create(self, spec: ContainerSpec) -> None:
        """The values of the environment go where no list of processes shows them."""
        system = self.platform().os if spec.health else self._shell.operating_system
        arguments = create_arguments(spec, system)
        extra: list[str] = []
        given: list[bytes] | None = None
        environment: Mapping[str, str] = {}
        if spec.environment and self._shell.operating_system == "windows":
            extra, environment = [f"--env={each}" for each in spec.environment], spec.environment
        elif spec.environment:
            extra, given = ["--env-file=/dev/stdin"], [environment_file(spec.environment)]
        ended = self._docker.run([arguments[0], *extra, *arguments[1:]], environment=environment, given=given)
        self._docker.require(ended, f"create the container {spec.name}", ContainerError)

    def _present(self, container: str, doing: str) -> ContainerInfo:
        found = self.inspect(container)
        if found is None:
            raise ContainerError(f"{self.url}: cannot {doing}: there is no such container")
        return found

    def _checked(self, arguments: Sequence[str], doing: str, failure: type[Any]) -> Ended:
        return self._docker.require(self._docker.run_surely(arguments), doing, failure)

    def _decoded(self, data: bytes, type_: type[T]) -> T:
        try:
            return msgspec.json.decode(data, type=type_)
        except msgspec.DecodeError as error:
            raise HostError(f"{self.url}: docker's answer is not understood ({error}); see its version") from error

    def _containers(self, options: Sequence[str]) -> list[ContainerInfo]:
        said = self._checked(["ps", "--no-trunc", "--quiet", *options], "list containers", HostError)
        found = self._inspected("container", said.output.decode().split(), wire.Container)
        return [translate.container_info(each) for each in found]

    def _inspected(self, kind: str, names: Sequence[str], type_: type[T]) -> list[T]:
        """What is there of these; what is not is left out."""
        found: list[T] = []
        for start in range(0, len(names), _INSPECTED_AT_ONCE):
            some = names[start : start + _INSPECTED_AT_ONCE]
            ended = self._docker.run_surely(["inspect", f"--type={kind}", *some])
            if ended.status and "no such" not in ended.said.lower():
                self._docker.require(ended, f"inspect {' '.join(some)}", HostError)
            found += self._decoded(ended.output.strip() or b"[]", list[type_])  # type: ignore[valid-type]
        return found

    def _transfer(self, doing: str, reference: str, credentials: Credentials | None) -> str:
        logins = {translate.registry_of(reference): credentials} if credentials else {}
        with logged_in(self._shell, self._docker, logins) as configuration:
            arguments = [doing, reference]
            ended = self._docker.run_surely(arguments, configuration=configuration, timeout=TRANSFER_SECONDS)
        if ended.status:
            raise registry_refusal(doing, reference, ended.said)
        return ended.output.decode("utf-8", "replace")

    def _archive(self, first: bytes, streamed: Streamed, doing: str) -> Iterator[bytes]:
        yield first
        yield from (piece for stream, piece in streamed.pieces if stream == 1)
        self._docker.require(streamed.ended, doing, ContainerError)
