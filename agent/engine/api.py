"""ContainerHost over the Engine API.

Calls go through docker-py's low-level client. Those that stream (build, pull, push, logs) are sent by hand on
the same client: docker-py would copy the build context to disk first, would add every login it finds in the
user's Docker configuration, and refuses names that Docker accepts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from time import monotonic, sleep
from typing import TYPE_CHECKING

import msgspec

from agent.engine import live_output, translate, wire
from agent.engine.building import build_image
from agent.engine.container_logs import last_lines
from agent.engine.failures import absent, explanation, is_timeout, registry_refusal, translated
from agent.engine.networks import join, require_networks
from agent.engine.posting import events, posted, refusal
from agent.engine.removal import IN_PROGRESS, await_removal
from agent.engine.transfer import follow_transfer
from agent.engine.translate import checked_container, checked_image
from agent.engine.way import Way
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

TRANSFER_SILENCE = 600
"""Seconds without progress after which a pull or a push is given up."""

_CREATION_SECONDS = 3.0


class EngineHost:
    """A ContainerHost whose engine `client` speaks to. `url` and `address` are as the Protocol says.

    `hang_up` ends, with the host, what carries the client's streams; `way` is how they are carried.
    """

    def __init__(
        self,
        client: APIClient,
        url: str,
        address: str,
        hang_up: Callable[[], None] = lambda: None,
        way: Way | None = None,
    ) -> None:
        self.way = way
        self._client = client
        self._url = url
        self._address = address
        self._hang_up = hang_up

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
        self._once_more_if_lost(lambda: self._pull(reference, credentials, progress))
        image = self.image(reference)
        if image is None:
            raise RegistryError(f"{self._url}: pulled {reference}, but the engine does not have it; try again")
        return image

    def build(self, request: BuildRequest, output: LineSink) -> ImageInfo:
        for tag in request.tags:
            checked_image(tag)
        built = build_image(self._client, self._url, request, output)
        for tag in request.tags:
            self.tag(built, tag)
        image = self.image(built)
        if image is None:
            raise BuildError(f"{self._url}: the image {built} vanished after its build; build it again")
        return image

    def push(self, reference: str, credentials: Credentials | None, progress: ByteProgress) -> str:
        repository, tag = translate.split_reference(checked_image(reference))
        header = translate.auth_header(credentials)
        with self._calls(f"push {reference}", RegistryError):
            path = f"/images/{repository}/push"
            with posted(self._client, path, {"tag": tag}, header, silence=TRANSFER_SILENCE) as response:
                if message := refusal(response):
                    raise registry_refusal("push", reference, message)
                digest = follow_transfer(events(response), "push", reference, progress)
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
        created = self._created(spec)
        try:
            with self._calls(f"join {name} to its networks", ContainerError):
                join(self._client, created, spec.networks[1:])
            return self._present(created)
        except BaseException:
            self.remove(created)
            raise

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
                if IN_PROGRESS not in explanation(error):
                    raise
                await_removal(self, name)

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
            if message := refusal(response):
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
        self._hang_up()

    @property
    def _versioned(self) -> str:
        return f"{self._client.base_url}/v{self._client.api_version}"

    def _calls(self, doing: str, failure: type[DockwrightError]) -> AbstractContextManager[None]:
        return translated(self._url, doing, failure)

    def _inspected(self, container: str) -> wire.Container | None:
        name = checked_container(container)
        with self._calls(f"inspect {container}", HostError):
            try:
                return msgspec.convert(self._client.inspect_container(name), wire.Container)
            except absent():
                return None

    def _pull(self, reference: str, credentials: Credentials | None, progress: ByteProgress) -> None:
        repository, tag = translate.split_reference(checked_image(reference))
        parameters = {"fromImage": repository, "tag": tag}
        header = translate.auth_header(credentials)
        with (
            self._calls(f"pull {reference}", RegistryError),
            posted(self._client, "/images/create", parameters, header, silence=TRANSFER_SILENCE) as response,
        ):
            if message := refusal(response):
                raise registry_refusal("pull", reference, message)
            follow_transfer(events(response), "pull", reference, progress)

    def _once_more_if_lost(self, call: Callable[[], None]) -> None:
        """For what does no harm twice. An engine that is hung up on leaves what it has pulled without its name."""
        try:
            call()
        except HostError as error:
            if error.__cause__ is None or is_timeout(error.__cause__):
                raise
            call()

    def _created(self, spec: ContainerSpec) -> str:
        """Its id. If the answer is lost it is found by its name, or made now.

        What was lost may still be under way: it has the name before it can be seen, and may yet give it back.
        """
        with suppress(HostError):
            return self._create(spec)
        deadline = monotonic() + _CREATION_SECONDS
        while not (made := self._made(spec)):
            try:
                return self._create(spec)
            except ContainerError:
                if monotonic() > deadline:
                    raise
            sleep(0.1)
        return made

    def _create(self, spec: ContainerSpec) -> str:
        config = translate.container_config(spec)
        with self._calls(f"create the container {spec.name}", ContainerError):
            require_networks(self._client, spec.networks, self._url)
            answer = self._client.create_container_from_config(config, name=spec.name)  # type: ignore[no-untyped-call]
            return msgspec.convert(answer, wire.Created).id

    def _made(self, spec: ContainerSpec) -> str:
        """The id of the container that was to be made; "" if there is none, or another."""
        found = self.inspect(spec.name)
        return found.id if found is not None and translate.is_as_specified(found, spec) else ""

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

    def _guarded(self, chunks: Iterable[bytes], doing: str) -> Iterator[bytes]:
        with self._calls(doing, ContainerError):
            yield from chunks


def _api_error() -> type[Exception]:
    from docker.errors import APIError

    return APIError


def _no_answer() -> type[Exception]:
    from requests import RequestException

    return RequestException
