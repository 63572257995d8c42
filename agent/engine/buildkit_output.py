"""What BuildKit prints with `--progress=plain`: which instruction failed, and why."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

from agent.engine.build_output import Source, build_failure
from agent.engine.dockerfile import Instruction
from agent.engine.failures import one_line
from agent.engine.wire import Event
from agent.errors import DockwrightError, HostError

_LINES_KEPT = 40
_MOST_NAMES = 10_000
_NAMED = re.compile(r"#(\d+) (\[.*)")
_FAILED = re.compile(r"#(\d+) (?:\d+(?:\.\d+)? )?ERROR: (.*)")
_PLACE = re.compile(r"\[(?:[^\]]*?([^\]\s]+) )?(\d+)/\d+\] (\S+.*)")
_BASE = re.compile(r"\[internal\] load metadata for (\S+)")
_UNREACHABLE = re.compile(
    "cannot connect to the docker daemon|failed to dial|error during connect|permission denied while trying",
    re.I,
)
_LAYERS = frozenset({"FROM", "RUN", "COPY", "ADD", "WORKDIR"})
_PREFIX = re.compile(r"^(?:ERROR: )?(?:failed to (?:build|solve)[^:]*: )?(?:failed to create LLB definition: )?")


class Progress:
    """Follows the lines of one build."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._names: dict[str, str] = {}
        self._failed = ""
        self._reason = ""
        self._last = ""
        self._printed: deque[str] = deque(maxlen=_LINES_KEPT)

    def feed(self, line: str) -> None:
        self._printed.append(line)
        self._last = line if line.strip(" -") else self._last
        if (match := _NAMED.match(line)) and len(self._names) < _MOST_NAMES:
            self._names.setdefault(match[1], match[2])
        elif match := _FAILED.match(line):
            self._failed, self._reason = self._names.get(match[1], ""), match[2]

    def failure(self, engine: str) -> DockwrightError:
        """The error for a build that did not end well."""
        if _UNREACHABLE.search(self._last):
            return HostError(f"{engine}: cannot build: {one_line(self._last)}")
        text = self._last if "parse error" in self._last else self._reason or _PREFIX.sub("", self._last)
        step = failed_step(self._source.instructions, self._failed)
        return build_failure(self._source, step, Event(error=text), tuple(self._printed))


def failed_step(instructions: Sequence[Instruction], name: str) -> int:
    """The number, from 1, of the instruction that BuildKit calls `[stage 2/3] RUN …`; 0 if it cannot be told.

    BuildKit counts the instructions of a stage that make layers, its FROM among them; versions differ in what
    else they count, so the text decides where it is there only once.
    """
    if base := _BASE.match(name):
        return _base_step(instructions, base[1])
    match = _PLACE.match(name)
    if match is None:
        return 0
    stage = _stage(instructions, match[1] or "")
    text = " ".join(match[3].split()).lower()
    same = [at for at in stage if instructions[at].text.lower() == text]
    if len(same) == 1:
        return same[0] + 1
    counted = [at for at in stage if instructions[at].keyword in _LAYERS]
    number = int(match[2])
    if number <= len(counted) and instructions[counted[number - 1]].keyword.lower() == text.split()[0]:
        return counted[number - 1] + 1
    return same[0] + 1 if same else 0


def _base_step(instructions: Sequence[Instruction], image: str) -> int:
    """The FROM of an image that BuildKit spells out in full."""
    for number, instruction in enumerate(instructions, start=1):
        names = [word for word in instruction.words if not word.startswith("--")][:1]
        ends = tuple(f"/{name}{tag}" for name in names for tag in ("", ":latest"))
        if instruction.keyword == "FROM" and f"/{image}".endswith(ends):
            return number
    return 0


def _stage(instructions: Sequence[Instruction], name: str) -> list[int]:
    """Where the instructions of the stage are: all of them if no stage has the name."""
    found: list[list[int]] = []
    names: list[str] = []
    for at, instruction in enumerate(instructions):
        if instruction.keyword == "FROM":
            words = instruction.words
            names.append(words[-1].lower() if len(words) > 2 and words[-2].lower() == "as" else f"stage-{len(names)}")
            found.append([])
        if found:
            found[-1].append(at)
    return found[names.index(name.lower())] if name.lower() in names else list(range(len(instructions)))
