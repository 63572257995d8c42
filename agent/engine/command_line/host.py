"""The host itself: ContainerHost's methods as docker commands, their JSON read as the Engine API's is."""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from agent.engine import translate, wire
from agent.engine.build_context import single_file_context, stream_context
from agent.engine.build_output import Source, follow_build, read_source
from agent.engine.command_line.arguments import build_arguments, create_arguments, environment_file, label_filters
from agent.engine.command_line.program import CALL_SECONDS, DockerProgram, Ended, Streamed
from agent.engine.container_logs import each_line
from agent.engine.dockerfile import instructions, label_dockerfile
from agent.engine.failures import one_line, registry_refusal
from agent.engine.shell import Command, Shell
from agent.engine.time_limit import SILENCE, time_is_up
from agent.engine.translate import checked_container, checked_image
from agent.errors import BuildError, ContainerError, HostError, RegistryError
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

TRANSFER_SECONDS = 3600.0
TRANSFER_SILENCE = 600.0
_INSPECTED_AT_ONCE = 20
_CLASSIC = {"DOCKER_BUILDKIT": "0"}
_NOWHERE = Path()

T = TypeVar("T")


class CommandLineHost:
    """A ContainerHost whose docker program `shell` runs."""

    def __init__(self, shell: Shell) -> None:
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
        if request.secrets:
            raise HostError(
                f"{self.url}: build secrets go through the engine's own machine; run the agent there, "
                "or leave build.secrets out"
            )
        source = read_source(request)
        for tag in request.tags:
            checked_image(tag)
        context = stream_context(request.context, request.dockerfile)
        with self._logged_in(request.credentials) as configuration:
            built = self._built(request, build_arguments(request), context, source, output, configuration)
        if request.labels:
            built = self._labelled(built, request.labels)
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
        ended = self._docker.run(["image", "rm", checked_image(reference)])
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
        doing = f"create the container {name}"
        arguments = create_arguments(spec, self._shell.operating_system)
        extra: list[str] = []
        given: list[bytes] | None = None
        environment: Mapping[str, str] = {}
        if spec.environment and self._shell.operating_system == "windows":
            extra, environment = [f"--env={each}" for each in spec.environment], spec.environment
        elif spec.environment:
            extra, given = ["--env-file=/dev/stdin"], [environment_file(spec.environment)]
        ended = self._docker.run([arguments[0], *extra, *arguments[1:]], environment=environment, given=given)
        self._docker.require(ended, doing, ContainerError)
        for network in spec.networks[1:]:
            aliases = [f"--alias={alias}" for alias in network.aliases]
            connected = self._docker.run(["network", "connect", *aliases, network.name, name])
            if connected.status:
                self.remove(name)
                self._docker.require(connected, doing, ContainerError)
        info = self.inspect(name)
        if info is None:
            raise ContainerError(f"{self.url}: the container {name} vanished as soon as it was created")
        return info

    def start(self, container: str) -> None:
        self._checked(["start", checked_container(container)], f"start {container}", ContainerError)

    def stop(self, container: str, timeout: int) -> None:
        ended = self._docker.run(
            ["stop", f"--time={timeout}", checked_container(container)], timeout=CALL_SECONDS + timeout
        )
        self._docker.require(ended, f"stop {container}", ContainerError)

    def remove(self, container: str) -> None:
        ended = self._docker.run(["rm", "--force", "--volumes", checked_container(container)])
        said = ended.said.lower()
        if ended.status and "no such container" not in said and "already in progress" not in said:
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
            ended = self._docker.run(["wait", checked_container(container)], timeout=timeout)
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
        ended = self._docker.run(arguments, given=archive, timeout=TRANSFER_SECONDS)
        self._docker.require(ended, f"copy into {path} of {container}", ContainerError)

    def follow(self, container: str, output: LineSink, tail: int = -1) -> None:
        name = checked_container(container)
        streamed = self._docker.stream(["logs", "--follow", f"--tail={tail if tail >= 0 else 'all'}", name])
        for line in each_line(streamed.pieces):
            output(line)
        self._docker.require(streamed.ended, f"follow {container}", ContainerError)

    def execute(self, container: str, command: Sequence[str], output: LineSink, timeout: float) -> int:
        arguments = ["exec", checked_container(container), *command]
        streamed = self._docker.stream(arguments, timeout=timeout)
        try:
            for line in each_line(streamed.pieces):
                output(line)
        except HostError as error:
            if not isinstance(error.__cause__, TimeoutError):
                raise
            raise ContainerError(
                f"{self.url}: {command[0]} in {container} had not ended after {timeout:g} s"
            ) from error
        ended = streamed.ended
        if ended.status == 1 and ended.said.startswith(("Error", "No such container")) and "container" in ended.said:
            self._docker.require(ended, f"run {command[0]} in {container}", ContainerError)
        return ended.status

    def close(self) -> None:
        self._docker.end()

    def _checked(self, arguments: Sequence[str], doing: str, failure: type[Any]) -> Ended:
        return self._docker.require(self._docker.run(arguments), doing, failure)

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
            ended = self._docker.run(["inspect", f"--type={kind}", *some])
            if ended.status and "no such" not in ended.said.lower():
                self._docker.require(ended, f"inspect {' '.join(some)}", HostError)
            found += self._decoded(ended.output.strip() or b"[]", list[type_])  # type: ignore[valid-type]
        return found

    def _transfer(self, doing: str, reference: str, credentials: Credentials | None) -> str:
        logins = {ImageReference.parse(reference).registry: credentials} if credentials else {}
        with self._logged_in(logins) as configuration:
            ended = self._docker.run([doing, reference], configuration=configuration, timeout=TRANSFER_SECONDS)
        if ended.status:
            raise registry_refusal(doing, reference, ended.said)
        return ended.output.decode("utf-8", "replace")

    @contextmanager
    def _logged_in(self, logins: Mapping[str, Credentials]) -> Iterator[str]:
        """A folder of docker's there with these logins, private to the login and gone afterwards.

        `docker login` writes it, the password on its standard input, so that no other program is needed.
        """
        if not logins:
            yield ""
            return
        folder = f".dockwright-{secrets.token_hex(8)}"
        try:
            for registry, credentials in logins.items():
                arguments = ["login", f"--username={credentials.username}", "--password-stdin", registry]
                ended = self._docker.run(arguments, configuration=folder, given=[credentials.password.encode()])
                if ended.status:
                    raise registry_refusal("log in to", registry, ended.said)
            yield folder
        finally:
            self._remove_folder(folder)

    def _remove_folder(self, folder: str) -> None:
        windows = self._shell.operating_system == "windows"
        arguments = ["cmd", "/c", "rmdir", "/s", "/q", folder] if windows else ["rm", "-rf", "--", folder]
        self._shell.run(Command(arguments=arguments, timeout=CALL_SECONDS), lambda _data: None, lambda _data: None)

    def _built(
        self,
        request: BuildRequest,
        arguments: Sequence[str],
        context: Iterable[bytes],
        source: Source,
        output: LineSink,
        configuration: str,
    ) -> str:
        streamed = self._docker.stream(
            arguments,
            configuration=configuration,
            environment=_CLASSIC,
            given=_compressed(context),
            timeout=request.timeout,
            silence=SILENCE,
        )
        try:
            return follow_build(_events(streamed), source, output)
        except HostError as error:
            if request.timeout and isinstance(error.__cause__, TimeoutError):
                raise time_is_up(request) from error
            raise

    def _labelled(self, image: str, labels: Mapping[str, str]) -> str:
        """As the Engine API's host does it: one instruction for all labels."""
        dockerfile = label_dockerfile(image, labels)
        source = Source(dockerfile="labels", instructions=tuple(instructions(dockerfile)))
        context = [single_file_context("Dockerfile", dockerfile.encode())]
        request = BuildRequest(context=_NOWHERE, tags=())
        return self._built(request, build_arguments(request), context, source, lambda _line: None, "")

    def _archive(self, first: bytes, streamed: Streamed, doing: str) -> Iterator[bytes]:
        yield first
        yield from (piece for stream, piece in streamed.pieces if stream == 1)
        self._docker.require(streamed.ended, doing, ContainerError)


def _events(streamed: Streamed) -> Iterator[wire.Event]:
    """A build's output as the API tells it: its lines, and what went wrong as the last."""
    for stream, piece in streamed.pieces:
        if stream == 1:
            yield wire.Event(stream=piece.decode("utf-8", "replace"))
    ended = streamed.ended
    if ended.status:
        yield wire.Event(error=_last_error(ended))


def _last_error(ended: Ended) -> str:
    """Without the warnings that come before it."""
    lines = [line.strip() for line in ended.errors.decode("utf-8", "replace").splitlines() if line.strip()]
    said = [
        line for line in lines if not line.startswith(("DEPRECATED", "WARNING", "SECURITY WARNING", "Install the"))
    ]
    text = " ".join(said[-5:]).removeprefix("Error response from daemon: ")
    return one_line(text) or f"docker build ended with {ended.status}"


def _compressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """As gzip: the way is the narrow part, and the engine knows it by its first bytes."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for chunk in chunks:
        if packed := packer.compress(chunk):
            yield packed
    yield packer.flush()
