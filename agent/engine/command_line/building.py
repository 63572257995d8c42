"""A build by docker's classic builder: the context on its standard input, its output read as the API's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from agent.engine import wire
from agent.engine.build_context import single_file_context, stream_context
from agent.engine.build_names import check_names
from agent.engine.build_output import Source, follow_build, read_source
from agent.engine.command_line.arguments import build_arguments
from agent.engine.command_line.program import DockerProgram, Ended, Streamed
from agent.engine.compression import compressed
from agent.engine.dockerfile import instructions, label_dockerfile
from agent.engine.failures import one_line
from agent.engine.time_limit import SILENCE, time_is_up
from agent.errors import HostError
from agent.host import BuildRequest, LineSink

_CLASSIC = {"DOCKER_BUILDKIT": "0"}
_NOWHERE = Path()
_NOISE = ("DEPRECATED", "WARNING", "SECURITY WARNING", "Install the")


def build_image(docker: DockerProgram, request: BuildRequest, output: LineSink, configuration: str) -> str:
    """Build, label, and return the image's id. BuildError names instruction and line."""
    if request.secrets:
        raise HostError(
            f"{docker.where}: build secrets cannot pass through the docker program of another machine; "
            "connect with engine=api, or leave build.secrets out"
        )
    check_names(request)
    source = read_source(request)
    context = stream_context(request.context, request.dockerfile)
    built = _built(docker, request, context, source, output, configuration)
    return _labelled(docker, built, request.labels) if request.labels else built


def _built(
    docker: DockerProgram,
    request: BuildRequest,
    context: Iterable[bytes],
    source: Source,
    output: LineSink,
    configuration: str,
) -> str:
    streamed = docker.stream(
        build_arguments(request),
        configuration=configuration,
        environment=_CLASSIC,
        given=compressed(context),
        timeout=request.timeout,
        silence=SILENCE,
    )
    try:
        return follow_build(_events(streamed), source, output)
    except HostError as error:
        if request.timeout and isinstance(error.__cause__, TimeoutError):
            raise time_is_up(request) from error
        raise


def _labelled(docker: DockerProgram, image: str, labels: Mapping[str, str]) -> str:
    """As the Engine API's host does it: one instruction for all labels."""
    dockerfile = label_dockerfile(image, labels)
    source = Source(dockerfile="labels", instructions=tuple(instructions(dockerfile)))
    context = [single_file_context("Dockerfile", dockerfile.encode())]
    return _built(docker, BuildRequest(context=_NOWHERE, tags=()), context, source, lambda _line: None, "")


def _events(streamed: Streamed) -> Iterator[wire.Event]:
    """A build's output as the API tells it: its lines, and what went wrong as the last."""
    for stream, piece in streamed.pieces:
        if stream == 1:
            yield wire.Event(stream=piece.decode("utf-8", "replace"))
    if streamed.ended.status:
        yield wire.Event(error=_last_error(streamed.ended))


def _last_error(ended: Ended) -> str:
    """Without the warnings that come before it."""
    lines: Sequence[str] = [line.strip() for line in ended.errors.decode("utf-8", "replace").splitlines()]
    said = [line for line in lines if line and not line.startswith(_NOISE)]
    text = " ".join(said[-5:]).removeprefix("Error response from daemon: ")
    return one_line(text) or f"docker build ended with {ended.status}"
