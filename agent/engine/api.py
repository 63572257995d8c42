"""ContainerHost over the Engine API.

Calls go through docker-py's low-level client. Those that stream (build, pull, push, logs) are sent by hand on
the same client: docker-py would copy the build context to disk first, would add every login it finds in the
user's Docker configuration, and refuses names that Docker accepts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING

import msgspec

from agent.engine import live_output, translate, wire
from agent.engine.build_context import single_file_context, stream_context
from agent.engine.build_names import check_names
from agent.engine.build_output import Source, build_failure, decode_events, follow_build, read_source
from agent.engine.container_logs import last_lines
from agent.engine.dockerfile import instructions, label_dockerfile
from agent.engine.failures import absent, explanation, is_timeout, registry_refusal, translated
from agent.engine.networks import join, require_networks
from agent.engine.time_limit import SILENCE, TimeLimit
from agent.engine.transfer import follow_transfer
from agent.engine.translate import checked_container, checked_image
from agent.errors import BuildError, ContainerError, DockwrightError, HostError, RegistryError
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

if TYPE_CHECKING:
    from docker import APIClient
    from requests import Response

TRANSFER_SILENCE = 600
"""Seconds without progress after which a pull or a push is given up."""

_REMOVAL_SECONDS = 30.0


class EngineHost:
    """A ContainerHost whose engine `client` speaks to. `url` and `address` are as the Protocol says."""

    def __init__(self, client: APIClient, url: str, address: str) -> None:
        self._client = client
        self._url = url
        self._address = address

    @property
    def url(self) -> str:
        return self._url

    @property
    def address(self) -> str:
        return self._address

    def platform(self) -> Platform:
        with self._calls("ask for its platform", HostError):
            version = msgspec.convert(self._client.version(), wire.Version)
            about = self._client.info() if version.os == "windows" else {}
            return translate.platform(version, msgspec.convert(about, wire.Information))

    def image(self, reference: str) -> ImageInfo | None:
        name = checked_image(reference)
        with self._calls(f"inspect the image {reference}", HostError):
            try:
                found = self._client.inspect_image(name)  # type: ignore[no-untyped-call]
            except absent():
                return None
            return translate.image_info(msgspec.convert(found, wire.Image))

    def images(self, labels: Mapping[str, str]) -> list[ImageInfo]:
        with self._calls("list images", HostError):
            found = self._client.images(filters=translate.label_filters(labels))
            listed = msgspec.convert(found, list[wire.ListedImage])
        inspected = (self.image(entry.id) for entry in listed)
        return [info for info in inspected if info is not None]

    def pull(self, reference: str, credentials: Credentials | None, progress: ByteProgress) -> ImageInfo:
        repository, tag = translate.split_reference(checked_image(reference))
        parameters = {"fromImage": repository, "tag": tag}
        header = translate.auth_header(credentials)
        with (
            self._calls(f"pull {reference}", RegistryError),
            self._posted("/images/create", parameters, header, silence=TRANSFER_SILENCE) as response,
        ):
            if message := _refusal(response):
                raise registry_refusal("pull", reference, message)
            follow_transfer(_events(response), "pull", reference, progress)
        image = self.image(reference)
        if image is None:
            raise RegistryError(f"{self._url}: pulled {reference}, but the engine does not have it; try again")
        return image

    def build(self, request: BuildRequest, output: LineSink) -> ImageInfo:
        check_names(request)
        for tag in request.tags:
            checked_image(tag)
        source = read_source(request)
        by_buildkit = bool(request.secrets) or (source.wants_buildkit and self._may_use_buildkit(request))
        built = (self._built_by_buildkit if by_buildkit else self._built)(request, source, output)
        if request.labels:
            built = self._labelled(built, request.labels)
        for tag in request.tags:
            self.tag(built, tag)
        image = self.image(built)
        if image is None:
            raise BuildError(f"{self._url}: the image {built} vanished after its build; build it again")
        return image

    def _built(self, request: BuildRequest, source: Source, output: LineSink) -> str:
        header = {"Content-Type": "application/x-tar", **translate.auth_table_header(request.credentials)}
        context = stream_context(request.context, request.dockerfile)
        parameters = translate.build_parameters(request)
        limit = TimeLimit(request)
        with (
            self._calls(f"build {request.dockerfile}", BuildError),
            limit.held(),
            self._posted("/build", parameters, header, silence=limit.silence, body=context) as response,
        ):
            if message := _refusal(response):
                raise build_failure(source, 0, wire.Event(error=message), ())
            return follow_build(decode_events(limit.chunks(response)), source, output)

    def _may_use_buildkit(self, request: BuildRequest) -> bool:
        from agent.engine.buildkit import can_build_here

        return not request.memory and can_build_here(self._url) and self.platform().os == "linux"

    def _built_by_buildkit(self, request: BuildRequest, source: Source, output: LineSink) -> str:
        from agent.engine.build_cache import contexts, remove_contexts
        from agent.engine.buildkit import build_with_buildkit

        if self.platform().os == "windows":
            raise HostError(f"{self._url}: Windows engines have no BuildKit, and so no build secrets; do without")
        with self._calls("read its build cache", HostError):
            before = contexts(self._client)
        try:
            return build_with_buildkit(request, source, self._url, output)
        finally:
            with self._calls("tidy its build cache", HostError):
                remove_contexts(self._client, before)

    def _labelled(self, image: str, labels: Mapping[str, str]) -> str:
        """The image with labels. The classic builder takes a step, and a container, for each label it is given
        apart from the Dockerfile; all of them in one instruction cost one.
        """
        dockerfile = label_dockerfile(image, labels)
        source = Source(dockerfile="labels", instructions=tuple(instructions(dockerfile)))
        header = {"Content-Type": "application/x-tar"}
        body = iter([single_file_context("Dockerfile", dockerfile.encode())])
        with (
            self._calls(f"label {image}", BuildError),
            self._posted("/build", {"rm": "1", "forcerm": "1"}, header, silence=SILENCE, body=body) as response,
        ):
            if message := _refusal(response):
                raise build_failure(source, 0, wire.Event(error=message), ())
            return follow_build(_events(response), source, lambda _line: None)

    def push(self, reference: str, credentials: Credentials | None, progress: ByteProgress) -> str:
        repository, tag = translate.split_reference(checked_image(reference))
        header = translate.auth_header(credentials)
        with self._calls(f"push {reference}", RegistryError):
            path = f"/images/{repository}/push"
            with self._posted(path, {"tag": tag}, header, silence=TRANSFER_SILENCE) as response:
                if message := _refusal(response):
                    raise registry_refusal("push", reference, message)
                digest = follow_transfer(_events(response), "push", reference, progress)
        return digest or self._known_digest(reference, repository)

    def tag(self, image: str, reference: str) -> None:
        repository, tag = translate.split_reference(checked_image(reference))
        with self._calls(f"tag {image} as {reference}", BuildError):
            self._client.tag(checked_image(image), repository, tag)

    def remove_image(self, reference: str) -> None:
        name = checked_image(reference)
        with self._calls(f"remove the image {reference}", ContainerError):
            try:
                self._client.remove_image(name)
            except absent():
                return

    def find(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        with self._calls("list containers", HostError):
            found = self._client.containers(all=True, filters=translate.label_filters(labels))
            listed = msgspec.convert(found, list[wire.ListedContainer])
        inspected = (self.inspect(entry.id) for entry in listed)
        return [info for info in inspected if info is not None]

    def publishing(self, port: Port) -> ContainerInfo | None:
        with self._calls("list containers", HostError):
            listed = msgspec.convert(self._client.containers(), list[wire.ListedContainer])
        for entry in listed:
            for used in entry.ports or ():
                same = used.public == port.host and (used.protocol or "tcp") == port.protocol
                if same and translate.overlaps(port, used.address):
                    return self.inspect(entry.id)
        return None

    def inspect(self, container: str) -> ContainerInfo | None:
        found = self._inspected(container)
        return None if found is None else translate.container_info(found)

    def create(self, spec: ContainerSpec) -> ContainerInfo:
        name = checked_container(spec.name)
        checked_image(spec.image)
        config = translate.container_config(spec)
        with self._calls(f"create the container {name}", ContainerError):
            require_networks(self._client, spec.networks, self._url)
            answer = self._client.create_container_from_config(config, name=name)  # type: ignore[no-untyped-call]
            created = msgspec.convert(answer, wire.Created)
        try:
            with self._calls(f"join {name} to its networks", ContainerError):
                join(self._client, created.id, spec.networks[1:])
        except BaseException:
            self.remove(created.id)
            raise
        return self._present(created.id)

    def start(self, container: str) -> None:
        with self._calls(f"start {container}", ContainerError):
            self._client.start(checked_container(container))

    def stop(self, container: str, timeout: int) -> None:
        with self._calls(f"stop {container}", ContainerError):
            self._client.stop(checked_container(container), timeout=timeout)

    def remove(self, container: str) -> None:
        name = checked_container(container)
        with self._calls(f"remove {container}", ContainerError):
            try:
                self._client.remove_container(name, v=True, force=True)
            except absent():
                return
            except _api_error() as error:
                if "already in progress" not in explanation(error):
                    raise
                self._await_removal(name)

    def logs(self, container: str, tail: int) -> list[str]:
        found = self._inspected(container)
        if found is None:
            raise ContainerError(f"{self._url}: cannot read the output of {container}: there is no such container")
        terminal = bool(found.config and found.config.tty)
        url = f"{self._versioned}/containers/{found.id}/logs"
        parameters = {"stdout": "1", "stderr": "1", "tail": str(tail)}
        with (
            self._calls(f"read the output of {container}", ContainerError),
            self._client.get(url, params=parameters, stream=True, timeout=self._client.timeout) as response,
        ):
            if message := _refusal(response):
                return [message] if tail else []
            return last_lines(response.iter_content(None), framed=not terminal, tail=tail)

    def wait(self, container: str, timeout: float) -> int:
        name = checked_container(container)
        with self._calls(f"wait for {container}", ContainerError):
            try:
                ended = self._client.wait(name, timeout=timeout)  # type: ignore[arg-type]  # requests takes floats
            except _no_answer() as error:
                if not is_timeout(error):
                    raise
                raise ContainerError(f"{self._url}: {container} had not ended after {timeout:g} s") from error
            return msgspec.convert(ended, wire.Ended).status_code or 0

    def copy_out(self, container: str, path: str) -> Iterator[bytes]:
        doing = f"copy {path} out of {container}"
        with self._calls(doing, ContainerError):
            chunks, _ = self._client.get_archive(checked_container(container), path)
        return self._guarded(chunks, doing)

    def copy_in(self, container: str, path: str, archive: Iterable[bytes]) -> None:
        with self._calls(f"copy into {path} of {container}", ContainerError):
            self._client.put_archive(checked_container(container), path, iter(archive))

    def follow(self, container: str, output: LineSink, tail: int = -1) -> None:
        doing = f"follow the output of {container}"
        found = self._inspected(container)
        if found is None:
            raise ContainerError(f"{self._url}: cannot {doing}: there is no such container")
        with self._calls(doing, ContainerError):
            live_output.follow(self._client, found, output, tail)

    def execute(self, container: str, command: Sequence[str], output: LineSink, timeout: float) -> int:
        doing = f"run {command[0]} in {container}"
        name = checked_container(container)
        with self._calls(doing, ContainerError):
            try:
                return live_output.execute(self._client, name, command, output, timeout)
            except TimeoutError as error:
                message = f"{self._url}: {command[0]} had not ended in {container} after {timeout:g} s"
                raise ContainerError(message) from error

    def close(self) -> None:
        self._client.close()

    @property
    def _versioned(self) -> str:
        return f"{self._client.base_url}/v{self._client.api_version}"

    def _calls(self, doing: str, failure: type[DockwrightError]) -> AbstractContextManager[None]:
        return translated(self._url, doing, failure)

    @contextmanager
    def _posted(
        self,
        path: str,
        parameters: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        silence: float,
        body: Iterable[bytes] = (),
    ) -> Iterator[Response]:
        """The answer as it streams in. Leaving early hangs up, upon which the engine stops what it does."""
        response = self._client.post(
            self._versioned + path,
            params=parameters,
            headers=headers,
            data=body or None,
            stream=True,
            timeout=(self._client.timeout, silence),
        )
        with response:
            yield response

    def _inspected(self, container: str) -> wire.Container | None:
        name = checked_container(container)
        with self._calls(f"inspect {container}", HostError):
            try:
                return msgspec.convert(self._client.inspect_container(name), wire.Container)
            except absent():
                return None

    def _present(self, container: str) -> ContainerInfo:
        info = self.inspect(container)
        if info is None:
            raise ContainerError(f"{self._url}: the container {container} vanished as soon as it was created")
        return info

    def _known_digest(self, reference: str, repository: str) -> str:
        image = self.image(reference)
        for known in image.digests if image else ():
            name, _, digest = known.partition("@")
            if name == repository:
                return digest
        raise RegistryError(f"{self._url}: pushed {reference}, but the engine does not say with which digest")

    def _await_removal(self, name: str) -> None:
        deadline = monotonic() + _REMOVAL_SECONDS
        while self.inspect(name) is not None:
            if monotonic() > deadline:
                raise ContainerError(f"{self._url}: the engine is still removing {name}; try again later")
            sleep(0.1)

    def _guarded(self, chunks: Iterable[bytes], doing: str) -> Iterator[bytes]:
        with self._calls(doing, ContainerError):
            yield from chunks


def _events(response: Response) -> Iterator[wire.Event]:
    return decode_events(response.iter_content(None))


def _refusal(response: Response) -> str:
    """What the engine says instead of doing it, or "" if it does."""
    if response.status_code < 400:
        return ""
    text = response.raw.read(64 * 1024, decode_content=True).decode("utf-8", "replace")
    try:
        return msgspec.json.decode(text, type=_Message).message
    except (msgspec.DecodeError, UnicodeError):
        return text.strip() or f"HTTP {response.status_code}"


class _Message(msgspec.Struct):
    message: str


def _api_error() -> type[Exception]:
    from docker.errors import APIError

    return APIError


def _no_answer() -> type[Exception]:
    from requests import RequestException

    return RequestException
