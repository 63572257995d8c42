"""Building an image at an engine: by its classic builder, or by BuildKit where the Dockerfile needs that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from agent.engine import translate, wire
from agent.engine.build_context import single_file_context, stream_context
from agent.engine.build_names import check_names
from agent.engine.build_output import Source, build_failure, decode_events, follow_build, read_source
from agent.engine.compression import compressed
from agent.engine.dockerfile import instructions, label_dockerfile
from agent.engine.failures import translated
from agent.engine.posting import events, posted, refusal
from agent.engine.time_limit import SILENCE, TimeLimit
from agent.errors import BuildError, HostError
from agent.host import BuildRequest, LineSink

if TYPE_CHECKING:
    from docker import APIClient

_TAR = {"Content-Type": "application/x-tar"}
_LOCAL = ("unix://", "npipe://")


def build_image(client: APIClient, url: str, request: BuildRequest, output: LineSink) -> str:
    """The id of the image, which has its labels and no tag yet."""
    check_names(request)
    source = read_source(request)
    if request.secrets or (source.wants_buildkit and _may_use_buildkit(client, url, request)):
        built = _built_by_buildkit(client, url, request, source, output)
    else:
        built = _built(client, url, request, source, output)
    return _labelled(client, url, built, request.labels) if request.labels else built


def _built(client: APIClient, url: str, request: BuildRequest, source: Source, output: LineSink) -> str:
    headers = {**_TAR, **translate.auth_table_header(request.credentials)}
    context: Iterator[bytes] = stream_context(request.context, request.dockerfile)
    if not url.startswith(_LOCAL):
        context = compressed(context)
    parameters = translate.build_parameters(request)
    limit = TimeLimit(request)
    with (
        translated(url, f"build {request.dockerfile}", BuildError),
        limit.held(),
        posted(client, "/build", parameters, headers, silence=limit.silence, body=context) as response,
    ):
        if message := refusal(response):
            raise build_failure(source, 0, wire.Event(error=message), ())
        return follow_build(decode_events(limit.chunks(response)), source, output)


def _may_use_buildkit(client: APIClient, url: str, request: BuildRequest) -> bool:
    """Without secrets it is a choice: what limits memory, and what is not at hand here, is built as ever."""
    from agent.engine.buildkit import can_build_here

    return not request.memory and can_build_here(url) and not _is_windows(client, url)


def _built_by_buildkit(client: APIClient, url: str, request: BuildRequest, source: Source, output: LineSink) -> str:
    from agent.engine.build_cache import contexts, remove_contexts
    from agent.engine.buildkit import build_with_buildkit
    from agent.engine.client import stream_opener

    if _is_windows(client, url):
        raise HostError(f"{url}: Windows engines have no BuildKit, and so no build secrets; do without")
    with translated(url, "read its build cache", HostError):
        before = contexts(client)
    try:
        return build_with_buildkit(request, source, url, stream_opener(client), output)
    finally:
        with translated(url, "tidy its build cache", HostError):
            remove_contexts(client, before)


def _is_windows(client: APIClient, url: str) -> bool:
    with translated(url, "ask for its platform", HostError):
        return bool(client.version().get("Os") == "windows")


def _labelled(client: APIClient, url: str, image: str, labels: Mapping[str, str]) -> str:
    """The image with labels. The classic builder takes a step, and a container, for each label it is given
    apart from the Dockerfile; all of them in one instruction cost one.
    """
    dockerfile = label_dockerfile(image, labels)
    source = Source(dockerfile="labels", instructions=tuple(instructions(dockerfile)))
    body = iter([single_file_context("Dockerfile", dockerfile.encode())])
    with (
        translated(url, f"label {image}", BuildError),
        posted(client, "/build", {"rm": "1", "forcerm": "1"}, _TAR, silence=SILENCE, body=body) as response,
    ):
        if message := refusal(response):
            raise build_failure(source, 0, wire.Event(error=message), ())
        return follow_build(events(response), source, lambda _line: None)
