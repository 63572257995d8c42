"""The one object that writes to stdout and stderr.

Everything that leaves the process may hold a secret. So every text, of whatever origin, passes one gate, `_gate`,
before a renderer gets it; foreign output, which comes line by line, passes the same masker as a stream.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import structs

from agent.errors import DockwrightError
from agent.report.events import (
    Answered,
    ArtifactMade,
    Document,
    Event,
    Failed,
    Level,
    Message,
    Output,
    Renderer,
    Secret,
    SecretLearned,
    StageDetail,
    StageEnded,
    StagesPlanned,
    StageStarted,
    StageState,
    Succeeded,
    Transferred,
    Value,
    VariableSet,
)
from agent.report.masking import Masker
from agent.report.sink import printable

if TYPE_CHECKING:
    from agent.host import ByteProgress

_SomeEvent = TypeVar("_SomeEvent", bound=Event)


class Report:
    """What a run tells, to a person or to a server. Safe for use by several threads; never raises by itself.

    `masker` takes the secrets that the server knows too, those of variables files; `mask` those made here.
    """

    def __init__(
        self, renderer: Renderer, clock: Callable[[], float] = time.monotonic, masker: Masker | None = None
    ) -> None:
        self.masker = masker or Masker(warn=self.warning)
        self._renderer = renderer
        self._clock = clock
        self._began = clock()
        self._lock = threading.RLock()
        self._stage = ""
        self._failed_stage = ""
        self._foreign = self.masker.stream()
        self._story = False
        self._line = ""  # the decided beginning of a line of foreign output

    def stages(self, names: Sequence[str]) -> None:
        """Announce the stages to come, in order."""
        self._show(StagesPlanned(names=tuple(names)))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Everything inside belongs to the stage; an exception marks it as failed and passes on."""
        began, outer = self._clock(), self._stage
        self._enter(name)
        state: StageState = "failed"
        try:
            yield
            state = "done"
        finally:
            self._flush()
            if state == "failed":
                self._failed_stage = name
            self._show(StageEnded(name=name, state=state, seconds=self._clock() - began))
            self._stage = outer

    def detail(self, text: str) -> None:
        """Note a size, a name, a number beside the stage that runs."""
        self._show(StageDetail(name=self._stage, text=text))

    def info(self, text: str) -> None:
        self._say("info", text)

    def verbose(self, text: str) -> None:
        self._say("verbose", text)

    def warning(self, text: str) -> None:
        self._say("warning", text)

    def error(self, text: str) -> None:
        """A problem, or a traceback. The run's own failure is told by `failure`."""
        self._say("error", text)

    def output(self, line: str, *, story: bool = False) -> None:
        """One line of foreign output, without its newline. It may wait for the next one if it ends in what may
        be the beginning of a secret. `story`: it is what the run is for, not a detail of how."""
        with self._lock:
            self._story = story
            text = printable(line.rstrip("\r\n").replace("\r", "\n"))
            self._foreign_output(self._foreign.feed(text + "\n"))

    def transfer(self, label: str) -> ByteProgress:
        """Takes the progress of one transfer, as often as it likes; it ends when done equals the total."""
        last = self._clock()
        finished = False

        def progress(done: int, total: int) -> None:
            nonlocal last, finished
            now = self._clock()
            complete = 0 < total <= done
            if finished or (not complete and now - last < self._renderer.transfer_interval):
                return
            last, finished = now, complete
            self._show(Transferred(label=label, done=done, total=total, finished=complete))

        return progress

    def set_variable(self, name: str, value: str, *, sensitive: bool = False) -> None:
        """Set an output variable. A sensitive one is masked from now on and travels as such."""
        if sensitive:
            self.masker.add(name, value)
            self._show(VariableSet(name=name, value=Secret(value)))
            return
        self._show(VariableSet(name=name, value=Value(value)))
        if self.masker.mask(value) != value:
            self.warning(f"output variable {name}: held a secret and was masked; make it sensitive")

    def artifact(self, path: Path, name: str) -> None:
        """Offer a file; the server collects it after the step has ended, so it must stay."""
        try:
            length = path.stat().st_size
        except OSError as error:
            self.warning(f"artifact {name}: {path} cannot be read: {error.strerror}")
            return
        self._show(ArtifactMade(path=str(path.absolute()), name=name, length=length))

    def mask(self, name: str, value: str) -> None:
        """Mask a secret that came up during the run, here and on the server."""
        self.masker.add(name, value)
        if value.strip():
            self._show(SecretLearned(secret=Secret(value)))

    def failure(self, error: DockwrightError, stage: str = "") -> None:
        """The run has failed, in `stage` or else in the stage that failed last."""
        self._flush()
        self._show(
            Failed(
                stage=stage or self._failed_stage,
                message=str(error),
                output="\n".join(error.output),
                exit_code=error.exit_code,
            )
        )

    def relay(self, event: Event) -> None:
        """Show an event of a run elsewhere as if it had happened here."""
        self._flush()
        self._show(event)

    def success(self, outputs: Mapping[str, str]) -> None:
        """The run has succeeded and leaves these outputs, in this order."""
        self._flush()
        self._show(Succeeded(outputs=tuple(outputs.items()), seconds=self._clock() - self._began))

    def result(self, lines: Iterable[str], document: object, *, exit_code: int = 0) -> None:
        """The answer of a command that was asked something, as lines and as plain data for JSON."""
        self._flush()
        self._show(Answered(text="\n".join(lines), document=Document(document), exit_code=exit_code))

    def close(self) -> None:
        """Write what is left and give the terminal back."""
        self._flush()
        with self._lock:
            self._renderer.close()

    def _enter(self, name: str) -> None:
        self._flush()
        self._stage = name
        self._show(StageStarted(name=name))

    def _say(self, level: Level, text: str) -> None:
        self._show(Message(level=level, text=text))

    def _show(self, event: Event) -> None:
        with self._lock:
            self._renderer.show(_gate(event, self.masker))

    def _flush(self) -> None:
        with self._lock:
            self._foreign_output(self._foreign.flush())

    def _foreign_output(self, decided: str) -> None:
        """Show complete lines. They are masked already, as a stream, which also finds what spans two lines."""
        *lines, self._line = (self._line + decided).split("\n")
        for line in lines:
            self._renderer.show(Output(text=line, story=self._story))


def _gate(event: _SomeEvent, masker: Masker) -> _SomeEvent:
    """The event with every text in it masked, whatever the field."""
    changes: dict[str, Any] = {name: _masked(getattr(event, name), masker) for name in event.__struct_fields__}
    return structs.replace(event, **changes)


def _masked(content: object, masker: Masker) -> object:
    match content:
        case str():
            return masker.mask(printable(content))
        case tuple():
            return tuple(_masked(each, masker) for each in content)
        case Value(text=text):
            return Value(masker.mask(text))
        case Document(content=data):
            return Document(_masked_data(data, masker))
        case _:  # a number, a flag, or a Secret
            return content


def _masked_data(data: object, masker: Masker) -> object:
    match data:
        case str():
            return masker.mask(data)
        case dict():
            return {_masked_data(key, masker): _masked_data(value, masker) for key, value in data.items()}
        case list() | tuple():
            return [_masked_data(each, masker) for each in data]
        case _:
            return data
