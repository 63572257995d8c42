"""What the journal keeps, as values: runs, their side effects, and what they were made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, Protocol

State = Literal["running", "succeeded", "failed", "half-done", "interrupted"]
Kind = Literal["deployment", "runbook-run", "rollback", "scale", "stop", "start", "prune"]

DEPLOYED: Final = frozenset({"deployment", "runbook-run"})
"""The kinds of run that make what one could go back to."""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One deployment, or what was done to one later. Times are ISO 8601 in UTC.

    `target` is the number of the run that a rollback went to, or the container that was stopped or started.
    """

    number: int
    id: str
    kind: Kind
    slot: str
    release: str
    project: str
    environment: str
    tenant: str
    step: str
    host: str
    process: int
    started: str
    finished: str
    state: State
    error: str
    image: str
    digest: str
    container: str
    configuration: str
    boot_seconds: float | None
    outputs: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    specification: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it took, if it has ended."""
        if not self.finished:
            return None
        return (datetime.fromisoformat(self.finished) - datetime.fromisoformat(self.started)).total_seconds()


@dataclass(frozen=True, kw_only=True)
class EffectRecord:
    """One side effect: `done` and `failed` are empty while (or if ever) it has not come so far."""

    stage: str
    kind: str
    name: str
    intent: str
    done: str
    failed: str


@dataclass(frozen=True, kw_only=True)
class PackageRecord:
    """One package of a run, by the name that the run gave it; `sha256` in hex, `size` in bytes."""

    name: str
    id: str
    version: str
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class ChangeRecord:
    """One change that a run made to a file; secrets are masked. None is what was not there."""

    feature: str
    file: str
    place: str
    rule: str
    old: str | None
    new: str | None


@dataclass(frozen=True, kw_only=True)
class SecretChange:
    """That a file has a secret: which feature put it where, and the variable or rule that asked for it."""

    feature: str
    file: str
    place: str
    rule: str


@dataclass(frozen=True, kw_only=True)
class PackageUse:
    """That a run is made of a package: its id, version and content, and the run's slot, engine and state."""

    sha256: str
    package: str
    version: str
    run: int
    deployment: str
    slot: str
    engine: str
    state: State


class Identified(Protocol):
    """What tells one deployment from another: the deployment itself, and every run of it that the journal has."""

    @property
    def id(self) -> str: ...
    @property
    def slot(self) -> str: ...
    @property
    def release(self) -> str: ...
    @property
    def project(self) -> str: ...
    @property
    def environment(self) -> str: ...
    @property
    def tenant(self) -> str: ...
    @property
    def step(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """What is known of a run when it begins."""

    id: str
    kind: Kind
    slot: str
    release: str
    project: str
    environment: str
    tenant: str
    step: str
    host: str
    target: str = ""

    @classmethod
    def of(cls, deployment: Identified, kind: Kind, host: str, target: str = "") -> NewRun:
        """A run of that kind, of a deployment that begins or of one that the journal knows."""
        return cls(
            id=deployment.id,
            kind=kind,
            slot=deployment.slot,
            release=deployment.release,
            project=deployment.project,
            environment=deployment.environment,
            tenant=deployment.tenant,
            step=deployment.step,
            host=host,
            target=target,
        )
