"""What plans, histories and findings look like to a person. Data in, lines out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from agent.commands.doctor import Finding
from agent.engine_name import engine_name
from agent.journal import RunRecord
from agent.plan import Plan, PlannedContainer, PlannedPackage
from agent.report.wording import size


def as_json(document: object) -> Any:
    """The same as plain data, for `--output json`."""
    return msgspec.to_builtins(document)


def plan_lines(plan: Plan) -> list[str]:
    """The plan, top to bottom in the order in which it would happen."""
    return [
        f"Plan for {plan.deployment} in {plan.slot} on {plan.host}",
        "",
        *(["Packages", *map(_package_line, plan.packages), ""] if plan.packages else []),
        *_file_lines(plan),
        "",
        *(["Hooks", *(f"  {name} runs on this machine" for name in plan.hooks), ""] if plan.hooks else []),
        *(_image_lines(plan) if plan.image else ["Folder", f"  {plan.way}"] if plan.way else []),
    ]


def history_lines(runs: Sequence[RunRecord]) -> list[str]:
    """One line a run, the newest first, in columns."""
    if not runs:
        return ["nothing was deployed yet"]
    several = len({engine_name(run.host) for run in runs}) > 1
    rows: list[tuple[str, ...]] = [("when", "what", "release", "slot", "outcome", "took", "container")]
    rows += [_history_row(run) for run in runs]
    if several:
        rows = [(*row, host) for row, host in zip(rows, ["host", *(run.host for run in runs)], strict=True)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    errors = [f"  {run.id}: {run.error}" for run in runs if run.error]
    return lines + (["", "what went wrong:", *errors] if errors else [])


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    """One line a finding, and under a bad one what to do."""
    lines = []
    for finding in findings:
        lines.append(f"{'ok  ' if finding.good else 'FAIL'}  {finding.what}: {finding.found}")
        if finding.advice:
            lines.append(f"      {finding.advice}")
    return lines


def _image_lines(plan: Plan) -> Iterator[str]:
    yield "Image"
    yield f"  {plan.image}"
    if plan.way:
        yield f"  {plan.way}"
    yield f"  pushed to {plan.registry}" if plan.registry else "  not pushed: no registry is given"
    yield ""
    yield "Container"
    yield from _container_lines(plan.container)


def _package_line(package: PlannedPackage) -> str:
    return f"  {package.id} {package.version}  {size(package.size)}  sha256 {package.sha256}"


def _file_lines(plan: Plan) -> Iterator[str]:
    yield "Files that change" if plan.files else "No file changes"
    for file in plan.files:
        yield from (f"  {line}" for line in file.diff.splitlines())
    if plan.unmatched:
        yield "Rules that find no place"
        yield from (f"  {rule}" for rule in plan.unmatched)


def _container_lines(container: PlannedContainer | None) -> Iterator[str]:
    if container is None:
        yield "  none: the image is the result"
        return
    ports = f", ports {', '.join(container.ports)}" if container.ports else ""
    yield f"  {container.name}{ports}"
    yield (
        f"  replaces {container.replaces} ({container.replaces_image})"
        if container.replaces
        else "  replaces nothing"
    )
    yield f"  outage to expect: {container.outage}"


def _history_row(run: RunRecord) -> tuple[str, ...]:
    when = run.started[:19].replace("T", " ") + "Z"
    told = {
        "rollback": f"rollback to {run.id}",
        "stop": f"stop of {run.id}",
        "start": f"start of {run.id}",
        "scale": f"{run.id} scaled to {run.target}",
    }
    what = told.get(run.kind, run.id)
    took = "" if run.seconds is None else f"{run.seconds:.1f} s"
    return when, what, run.release, run.slot, run.state, took, run.container
