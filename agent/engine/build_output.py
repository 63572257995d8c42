"""What the classic builder prints: its lines for the log, the image it made, or the instruction that failed."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from agent.engine.dockerfile import Instruction, frontend, instructions
from agent.engine.failures import one_line
from agent.engine.wire import Aux, Event
from agent.errors import BuildError, DockwrightError, StorageError
from agent.host import BuildRequest, LineSink

_LONGEST_LINE = 16 * 1024
_LONGEST_MESSAGE = 4 * 1024 * 1024
_LINES_KEPT = 40
_STEP = re.compile(r"Step (\d+)/\d+ : ")
_BUILT = re.compile(r"Successfully built ([0-9a-f]{6,64})\s*\Z")
_EXIT = re.compile(r"The command '.*' returned a non-zero code: (\d+)|exit code: (\d+)\s*\Z", re.DOTALL)
_UNREACHED = re.compile(r"no such host|i/o timeout|connection refused|request canceled|TLS handshake|: EOF\s*\Z")
_MODERN = ("--mount=", "--network=", "--security=", "--link", "--chmod=", "--parents", "--exclude=")
_SYNTAX = re.compile(r"dockerfile parse error (?:on )?line (\d+): (.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is being built: the Dockerfile's name, its instructions, and the image that is to read it, if any."""

    dockerfile: str
    instructions: tuple[Instruction, ...]
    frontend: str = ""

    @property
    def wants_buildkit(self) -> bool:
        """Whether it speaks of what the classic builder does not know."""
        return any(
            instruction.bodies or any(word.startswith(_MODERN) for word in instruction.words[:8])
            for instruction in self.instructions
            if instruction.keyword in ("RUN", "COPY", "ADD")
        )


def read_source(request: BuildRequest) -> Source:
    path = request.context / request.dockerfile
    try:
        with path.open("rb") as file:
            text = file.read(1_000_000).decode("utf-8", "replace")
    except OSError as error:
        raise BuildError(f"{path}: the Dockerfile cannot be read ({error.strerror}); see build.dockerfile") from error
    return Source(dockerfile=request.dockerfile, instructions=tuple(instructions(text)), frontend=frontend(text))


def follow_build(messages: Iterable[Event], source: Source, output: LineSink) -> str:
    """Pass the lines to `output` and return the image's id. BuildError, with the last lines, if it failed."""
    printed: deque[str] = deque(maxlen=_LINES_KEPT)
    lines = _Lines()
    step = 0
    image = ""
    for event in messages:
        if event.error is not None or event.error_detail is not None:
            raise build_failure(source, step, event, tuple(printed))
        image = _aux(event).image or image
        for line in lines.feed(_text(event)):
            printed.append(line)
            output(line)
            step = int(match[1]) if (match := _STEP.match(line)) else step
            image = image or (match[1] if (match := _BUILT.match(line)) else "")
    for line in lines.rest():
        output(line)
    if not image:
        raise BuildError(
            f"{source.dockerfile}: the engine ended the build without an image; see its log, and try again",
            output=tuple(printed),
        )
    return image


def build_failure(source: Source, step: int, event: Event, printed: tuple[str, ...]) -> DockwrightError:
    """`step` counts from 1; 0 means that none had begun."""
    detail = event.error_detail
    text = (detail.message if detail else None) or event.error or "the engine did not say why"
    if "no space left on device" in text or "not enough space on the disk" in text:
        return StorageError(
            f"{source.dockerfile}: the engine's disk is full; remove what is not needed (docker system df)",
            output=printed,
        )
    if match := _SYNTAX.search(text):
        return BuildError(f"{source.dockerfile}:{match[1]}: {one_line(match[2])}", output=printed)
    return BuildError(f"{_place(source, step)}: {_reason(text)}{_advice(source, step, text)}", output=printed)


def decode_events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """The JSON lines in a stream of bytes, however it was cut. msgspec.ValidationError if they are not that."""
    decoder = msgspec.json.Decoder(Event)
    pending = b""
    for chunk in chunks:
        *whole, pending = (pending + chunk).split(b"\n")
        yield from (decoder.decode(line) for line in whole if line.strip())
        if len(pending) > _LONGEST_MESSAGE:
            raise msgspec.ValidationError("a message without end")
    if pending.strip():
        yield decoder.decode(pending)


def _text(event: Event) -> str:
    if event.stream is not None:
        return event.stream
    if event.status is not None and event.progress is None:
        return f"{event.id}: {event.status}\n" if event.id else f"{event.status}\n"
    return ""


def _aux(event: Event) -> Aux:
    try:
        return msgspec.json.decode(event.aux, type=Aux) if event.aux else Aux()
    except msgspec.ValidationError:
        return Aux()


def _place(source: Source, step: int) -> str:
    if not 1 <= step <= len(source.instructions):
        return source.dockerfile
    instruction = source.instructions[step - 1]
    return f"{source.dockerfile}:{instruction.line}: {one_line(instruction.text, 120)}"


def _advice(source: Source, step: int, text: str) -> str:
    """Where the base image's registry is out of reach, which is not the Dockerfile's fault."""
    begun = 1 <= step <= len(source.instructions)
    if not begun or source.instructions[step - 1].keyword != "FROM" or not _UNREACHED.search(text):
        return ""
    return "; let the engine's machine reach that registry (its proxy is the engine's own), or name another base"


def _reason(text: str) -> str:
    exited = _EXIT.search(text)
    return f"exited with {exited[1] or exited[2]}" if exited else one_line(text)


class _Lines:
    """Cuts text into lines; a carriage return starts a line over, and endless lines are cut."""

    def __init__(self) -> None:
        self._pending = ""

    def feed(self, text: str) -> Iterator[str]:
        *whole, self._pending = (self._pending + text).split("\n")
        yield from (_last_version(line) for line in whole)
        while len(self._pending) > _LONGEST_LINE:
            yield self._pending[:_LONGEST_LINE]
            self._pending = self._pending[_LONGEST_LINE:]

    def rest(self) -> Iterator[str]:
        if self._pending:
            yield _last_version(self._pending)


def _last_version(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]
