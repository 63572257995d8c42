"""One deployment from beginning to end: open the bundle, hold the slot, run the step, tell the journal.

`run` and `plan` take the same way; a plan stops before the first side effect. `rollback` is in
`agent/slot/rollback.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.bundle import MANIFEST, BundleTrust, StepManifest, open_bundle
from agent.documents import convert
from agent.errors import DockwrightError, InputError
from agent.host import ContainerHost, HostAddress
from agent.identity import identify
from agent.inputs import Missing, evaluated
from agent.journal import NewRun, RunEntry, read_runs
from agent.packages import PackageCache, Retention, open_feeds
from agent.plan import Plan, load, require_same
from agent.plugins import connection, load_step
from agent.report import Report
from agent.retention.after import Deployed, retain
from agent.retention.packages import cache_folder, prune_packages
from agent.slot.place import held, open_place
from agent.step import Deployment, Outcome, PlannableStep, Step, StepContext, StepJournal
from agent.variables import Variables
from agent.workspace import WorkFolder, work_folder


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line asked for. `wait` is how many seconds to wait for a slot that is held.

    `retention` is what may leave the package cache once the deployment is good; None keeps everything.
    """

    bundle: Path
    variables: Variables
    host: HostAddress
    home: Path
    wait: float = 600
    plan: Path | None = None
    require_signature: bool = False
    retention: Retention | None = None


@dataclass(frozen=True, kw_only=True)
class _Opened:
    """A bundle, evaluated, with the step it asks for. `root` is the folder that its relative paths start from."""

    root: Path
    manifest: StepManifest
    step: Step
    deployment: Deployment


def run(request: Request, report: Report) -> Outcome:
    """Deploy. Whatever fails, the journal says so, and what served before serves again."""
    with work_folder(request.home) as work:
        opened = _open(request, work.path)
        slot = opened.deployment.slot
        expected = _expected_plan(request, opened)
        with (
            open_place(request.home, request.host, report, early=True) as place,
            held(place, slot, opened.deployment.id, request.wait) as guard,
        ):
            entry = place.journal.begin(NewRun.of(opened.deployment, opened.deployment.kind, request.host.url))
            surroundings = _Surroundings(
                work=work,
                cache=PackageCache(cache_folder(request.home)),
                image_cache=request.home / "cache" / "images",
                journal=entry,
                confirm=_confirmation(expected),
                guard=guard,
                connect=place.connect,
            )
            outcome = _run_step(lambda: opened.step.run(_context(opened, request, report, surroundings)), entry)
            if outcome.retention is not None:
                deployed = Deployed(home=request.home, slot=slot, entry=entry, journal=place.journal)
                retain(deployed, outcome.retention, place.connect(), report)
    for name, value in outcome.outputs.items():
        if name not in outcome.told:
            report.set_variable(name, value)
    _prune_cache(request, report)
    return outcome


def plan(request: Request, report: Report) -> Plan:
    """Everything `run` would do, found out without a side effect outside the work folder."""
    with work_folder(request.home) as work, connection(request.host) as connect:
        opened = _open(request, work.path)
        if not isinstance(opened.step, PlannableStep):
            raise InputError(f"the step '{opened.manifest.step}' cannot be planned, only run")
        surroundings = _Surroundings(
            work=work,
            cache=PackageCache(work.path / "packages"),
            image_cache=work.path / "images",
            journal=_NoSideEffects(),
            confirm=lambda _: None,
            guard=nullcontext,
            connect=connect,
        )
        return opened.step.plan(_context(opened, request, report, surroundings))


def _prune_cache(request: Request, report: Report) -> None:
    """The deployment is good, whatever becomes of this."""
    if request.retention is None:
        return
    try:
        gone = prune_packages(request.home, request.retention, apply=True)
    except DockwrightError as error:
        report.warning(f"the package cache was not pruned: {error}")
        return
    if gone:
        names = ", ".join(name for one in gone for name in one.package.names)
        report.info(f"no longer cached, since nothing needs them: {names or len(gone)}")


def _open(request: Request, work: Path) -> _Opened:
    trust = BundleTrust.under(request.home, required=request.require_signature)
    bundle = open_bundle(request.bundle, work, trust)
    step = load_step(bundle.manifest.step, bundle.plugin)
    missing = Missing()
    manifest = _evaluated(bundle.manifest, request.variables, missing)
    fallback = str(manifest.inputs.get("image") or manifest.step)
    deployment = identify(request.variables, fallback, missing)
    missing.raise_if_any()
    return _Opened(root=bundle.root, manifest=manifest, step=step, deployment=deployment)


def _evaluated(manifest: StepManifest, variables: Variables, missing: Missing) -> StepManifest:
    """The manifest with every `#{…}` in it evaluated: inputs, packages and feeds alike."""
    plain = evaluated(msgspec.to_builtins(manifest), variables, missing, MANIFEST)
    return convert(plain, StepManifest, where=MANIFEST)


@dataclass(frozen=True, kw_only=True)
class _Surroundings:
    """What differs between a run and a plan."""

    work: WorkFolder
    cache: PackageCache
    image_cache: Path
    journal: StepJournal
    confirm: Callable[[Callable[[], Plan]], None]
    guard: Callable[[], AbstractContextManager[None]]
    connect: Callable[[], ContainerHost]


def _context(opened: _Opened, request: Request, report: Report, around: _Surroundings) -> StepContext:
    manifest = opened.manifest
    folder = around.work.path / "step"
    folder.mkdir()
    return StepContext(
        deployment=opened.deployment,
        inputs=manifest.inputs,
        variables=request.variables,
        packages=tuple(manifest.packages),
        feeds=open_feeds(manifest.feeds, opened.root),
        cache=around.cache,
        image_cache=around.image_cache,
        work=folder,
        bundle=opened.root,
        artifacts=request.home / "artifacts" / opened.deployment.suffix,
        scratch=around.work.scratch,
        discard=around.work.discard,
        report=report,
        journal=around.journal,
        confirm=around.confirm,
        guard=around.guard,
        connect=around.connect,
        last_boot_seconds=_last_boot(request, opened.deployment.slot),
        host_url=request.host.url,
    )


def _run_step(step: Callable[[], Outcome], entry: RunEntry) -> Outcome:
    with entry.noting_failure():
        outcome = step()
    entry.finish(
        "succeeded",
        container=outcome.container,
        boot_seconds=outcome.boot_seconds,
        outputs=outcome.outputs,
    )
    return outcome


def _expected_plan(request: Request, opened: _Opened) -> Plan | None:
    if request.plan is None:
        return None
    if not isinstance(opened.step, PlannableStep):
        raise InputError(
            f"the step '{opened.manifest.step}' cannot be planned, so it keeps to none; run it without --plan"
        )
    return load(request.plan)


def _confirmation(expected: Plan | None) -> Callable[[Callable[[], Plan]], None]:
    def confirm(planned_now: Callable[[], Plan]) -> None:
        if expected is not None:
            require_same(expected, planned_now())

    return confirm


def _last_boot(request: Request, slot: str) -> float | None:
    """Seconds from start to first good answer, the last time something was deployed to the slot."""
    runs = read_runs(request.home / "journal.db", slot, host=request.host.url)
    return next((run.boot_seconds for run in runs if run.state == "succeeded" and run.boot_seconds), None)


class _NoSideEffects:
    """The journal of a plan: a step that tries to change something while it plans is a defect.

    Effects of the stage `look` are none: what comes about there is gone when the look has ended.
    """

    def effect(self, stage: str, kind: str, name: str) -> AbstractContextManager[None]:
        if stage == "look":
            return nullcontext()
        raise AssertionError(f"a plan must not {kind} {name} ({stage})")

    def note(self, *, image: str = "", digest: str = "", configuration: str = "", specification: str = "") -> None:
        pass

    def packages(self, rows: Sequence[tuple[str, str, str, str, int]]) -> None:
        pass

    def changes(self, rows: Sequence[tuple[str, str, str, str, str | None, str | None]]) -> None:
        pass
