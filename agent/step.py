"""What a step is: the small contract between the runner and everything that can be done.

A step is found by its name in the entry point group `dockwright.steps`. It gets a `StepContext` and returns an
`Outcome`. One that can also say what it would do has a `plan` method (see `PlannableStep`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol, TypeVar, runtime_checkable

from agent.documents import convert
from agent.host import ContainerHost
from agent.journal import Effects
from agent.packages import Feed, PackageCache, PackageReference
from agent.plan import Plan
from agent.report import Report
from agent.retention.settings import ImageRetention
from agent.variables import Variables

T = TypeVar("T")

DeploymentKind = Literal["deployment", "runbook-run"]


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One deployment or runbook run, as the server names it. `id` is `Deployments-75` or `RunbookRuns-3`.

    `project`, `environment` and `tenant` are Octopus's ids, or names where no ids are known; `tenant` and
    `release` may be empty. `step` is the action's name.
    """

    id: str
    kind: DeploymentKind
    release: str
    project: str
    environment: str
    tenant: str
    step: str
    names: Mapping[str, str] = field(default_factory=dict)
    """Octopus's own labels for images and containers, `Octopus.Environment.Name` and the like."""

    @property
    def slot(self) -> str:
        """What a newer deployment replaces: project / environment / tenant / step, in lower case."""
        return "/".join((self.project, self.environment, self.tenant or "untenanted", self.step)).lower()

    @property
    def suffix(self) -> str:
        """`deployments-75`: the part of tags and container names that is this deployment's own."""
        return self.id.lower()


class StepJournal(Effects, Protocol):
    """Where a step notes each side effect, intent before and done after, and what it is made of.

    The real one is a page of `agent/journal.py`. `with effect(stage, kind, name)` stands around each side effect.
    After a crash `agent/slot/recovery.py` undoes, by the names, what it knows of: in the stages `run`, `build` and
    `push` it looks for containers and images on the host, so these are for such alone; of the stage `files` it knows
    that no host has to be asked. Whatever else a step changes must bear to be done again.
    """

    def note(self, *, image: str = "", digest: str = "", configuration: str = "", specification: str = "") -> None:
        """Facts as soon as they are known: the image's reference and digest, the hash of what went into it, and the
        container's settings as JSON, without secrets."""
        ...

    def packages(self, rows: Sequence[tuple[str, str, str, str, int]]) -> None:
        """(name, id, version, SHA-256 in hex, size in bytes) of each package; the cache keeps them from now on."""
        ...

    def changes(self, rows: Sequence[tuple[str, str, str, str, str | None, str | None]]) -> None:
        """(feature, file, place, rule, old, new) of each change to a file; None is what was not there."""
        ...


@dataclass(frozen=True, kw_only=True)
class StepContext:
    """Everything a step may use. `inputs` are evaluated: no `#{…}` is left in them.

    `packages` and `feeds` are those of `step.yaml`; `agent.packages.acquire` takes both, with the `cache`.
    """

    deployment: Deployment
    inputs: Mapping[str, object]
    variables: Variables
    packages: tuple[PackageReference, ...]
    feeds: Mapping[str, Feed]
    cache: PackageCache
    image_cache: Path
    """A folder in which what was read of images is kept."""
    work: Path
    """An empty folder of the run's own, which goes with it."""
    bundle: Path
    """The folder of the bundle, for files that come along in it."""
    artifacts: Path
    """Where files that the server is to collect are kept; it may not be there yet."""
    scratch: Callable[[int], tuple[Path, ...]]
    """Empty folders for about so many bytes, the best first (in memory where there is plenty)."""
    discard: Callable[[Path], None]
    """Removes such a folder when it is not needed any more, beside whatever happens next."""
    report: Report
    """Where everything is said; sensitive variables are masked there already, others by `report.mask`."""
    journal: StepJournal
    confirm: Callable[[Callable[[], Plan]], None]
    """To be called once everything is known and before the first side effect: `run --plan` compares there."""
    guard: Callable[[], AbstractContextManager[None]]
    """Held while the old container is stopped and the new one not yet good (see `agent/slot/guard.py`)."""
    connect: Callable[[], ContainerHost]
    """Reaches the host; `host` is what a step wants. The runner closes it."""
    host_url: str
    last_boot_seconds: float | None = None
    """How long the slot's last good container took to its first good answer."""

    @cached_property
    def host(self) -> ContainerHost:
        """The container host, reached for at the first use."""
        return self.connect()

    def decode(self, type_: type[T]) -> T:
        """The inputs as the step's own manifest type, best a frozen msgspec Struct that forbids unknown fields.

        InputError names the key that is wrong, unknown ones with a suggestion.
        """
        return convert(dict(self.inputs), type_, where="step.yaml: inputs")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a step leaves behind: output variables, and what the journal keeps of it.

    `container` is the name of the one that serves now, to which a rollback can go back; `boot_seconds` how long it
    took to its first good answer, which a plan shows as the outage to expect.
    """

    outputs: Mapping[str, str] = field(default_factory=dict)
    told: frozenset[str] = frozenset()
    """Those of the outputs that were announced already, by a script as it set them."""
    image: str = ""
    digest: str = ""
    container: str = ""
    configuration: str = ""
    boot_seconds: float | None = None
    retention: ImageRetention | None = None
    """Which earlier images may go, now that this one is good."""


class Step(Protocol):
    """Anything that can be deployed or run. It is made without arguments, once for each run."""

    def run(self, context: StepContext) -> Outcome:
        """Do it, with the slot held. It is good if this returns.

        A failure that was foreseen is an error of `agent/errors.py`, whose exit code the run then has; before it
        is raised, what served must serve again. Any other exception is shown as a defect.
        """
        ...


@runtime_checkable
class PlannableStep(Protocol):
    """A step that can say what `run` would do, without doing it."""

    def plan(self, context: StepContext) -> Plan:
        """The same plan for the same state of things: `run --plan` compares it with what `run` gives to
        `context.confirm`. An effect that is noted in the journal meanwhile is a defect."""
        ...
