"""What the page shows, gathered from the journal and from the folders of pushed deployments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from agent.engine_name import engine_name
from agent.journal import ChangeRecord, Journal, PackageRecord, RunRecord, read_runs
from agent.report.events import Event, Failed, Message, Output, StageDetail, StageEnded, StagesPlanned, StageStarted
from agent.report.stream import Line, decode_line, read_event
from agent.report.wording import duration
from agent.service.protocol import DeploymentStatus
from agent.service.record import LOG, REQUEST, folder_name, status
from agent.slot.serving import serving_order

SHOWN = 50
LOG_BYTES = 400_000


@dataclass(frozen=True, kw_only=True)
class Slot:
    """What serves in a slot as far as the journal knows, since when, and what one could go back to."""

    name: str
    run: RunRecord
    image: str
    earlier: tuple[RunRecord, ...]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of a run: `planned`, `running`, `done` or `failed`."""

    name: str
    state: str
    took: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A deployment, known to the journal, to the listener, or to both."""

    id: str
    state: str
    kind: str
    slot: str
    release: str
    image: str
    started: str
    took: str
    error: str
    pushed: bool


@dataclass(frozen=True, kw_only=True)
class Overview:
    slots: tuple[Slot, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True, kw_only=True)
class Detail:
    """One deployment in full. `log` is (level, text); `cursor` is where the live log goes on."""

    entry: Entry
    stages: tuple[Stage, ...]
    packages: tuple[PackageRecord, ...]
    changes: tuple[ChangeRecord, ...]
    outputs: tuple[tuple[str, str], ...]
    log: tuple[tuple[str, str], ...]
    cursor: int
    live: bool


def overview(home: Path) -> Overview:
    """Every slot of every host, and the latest deployments."""
    runs = _runs(home)
    places: dict[tuple[str, str], list[RunRecord]] = {}
    for run in runs:
        places.setdefault((run.slot, engine_name(run.host)), []).append(run)
    slots = [_slot(name, there) for (name, _), there in places.items()]
    known = {run.id for run in runs}
    entries = [_entry_of_run(run) for run in runs]
    entries += [_entry_of_push(each) for each in _pushed(home) if each.id not in known]
    entries.sort(key=lambda entry: entry.started, reverse=True)
    return Overview(slots=tuple(filter(None, slots)), entries=tuple(entries[:SHOWN]))


def detail(home: Path, deployment: str) -> Detail | None:
    """One deployment by its id; None if nobody knows it."""
    folder = home / "service" / "deployments" / folder_name(deployment)
    pushed = status(folder) if (folder / REQUEST).is_file() else None
    run = next((run for run in _runs(home) if run.id.lower() == deployment.lower()), None)
    if pushed is None and run is None:
        return None
    lines, cursor = _log(folder / LOG)
    packages, changes = _made_of(home, run)
    entry = _entry_of_push(pushed) if run is None and pushed else _entry_of_run(run)  # type: ignore[arg-type]
    outputs = pushed.outputs if pushed else (run.outputs if run else {})
    return Detail(
        entry=entry,
        stages=tuple(_stages(lines)),
        packages=packages,
        changes=changes,
        outputs=tuple(outputs.items()),
        log=tuple(text for line in lines for text in _texts(line)),
        cursor=cursor,
        live=bool(pushed) and pushed.state in {"accepted", "running"} if pushed else False,
    )


def _runs(home: Path) -> list[RunRecord]:
    return read_runs(home / "journal.db", limit=1000)


def _made_of(home: Path, run: RunRecord | None) -> tuple[tuple[PackageRecord, ...], tuple[ChangeRecord, ...]]:
    if run is None:
        return (), ()
    with closing(Journal(home / "journal.db")) as journal:
        return tuple(journal.packages(run)), tuple(journal.changes(run))


def _slot(name: str, runs: list[RunRecord]) -> Slot | None:
    order = serving_order(runs)
    if not order:
        return None
    current = order[-1]
    return Slot(name=name, run=current, image=current.image, earlier=tuple(reversed(order[:-1])))


def _entry_of_run(run: RunRecord) -> Entry:
    return Entry(
        id=run.id,
        state=run.state,
        kind=run.kind,
        slot=run.slot,
        release=run.release,
        image=run.image,
        started=run.started,
        took=duration(run.seconds) if run.seconds is not None else "",
        error=run.error,
        pushed=False,
    )


def _entry_of_push(each: DeploymentStatus) -> Entry:
    began, ended = each.started or each.accepted, each.finished
    took = (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds() if ended else None
    return Entry(
        id=each.id,
        state=each.state,
        kind=each.command,
        slot=each.slot,
        release="",
        image=each.outputs.get("Image", ""),
        started=began,
        took=duration(took) if took is not None else "",
        error=each.error,
        pushed=True,
    )


def _pushed(home: Path) -> list[DeploymentStatus]:
    folder = home / "service" / "deployments"
    if not folder.is_dir():
        return []
    return [status(path) for path in folder.iterdir() if (path / REQUEST).is_file()]


def _log(path: Path) -> tuple[list[Line], int]:
    """The end of the log, and the cursor after it."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = max(0, size - LOG_BYTES)
            file.seek(start)
            data = file.read()
    except OSError:
        return [], 0
    if start:
        data = data[data.find(b"\n") + 1 :]
    whole = data[: data.rfind(b"\n") + 1]
    return list(_decoded(whole)), size - (len(data) - len(whole))


def _decoded(data: bytes) -> Iterator[Line]:
    for line in data.splitlines():
        try:
            yield decode_line(line)
        except msgspec.DecodeError:
            continue


def _events(lines: list[Line]) -> Iterator[Event]:
    for line in lines:
        try:
            event = read_event(line)
        except msgspec.MsgspecError:
            continue
        if event is not None:
            yield event


def _stages(lines: list[Line]) -> list[Stage]:
    found: dict[str, Stage] = {}
    for event in _events(lines):
        match event:
            case StagesPlanned(names=names):
                found |= {name: Stage(name=name, state="planned") for name in names}
            case StageStarted(name=name):
                found[name] = Stage(name=name, state="running")
            case StageDetail(name=name, text=text) if name in found:
                before = found[name]
                joined = f"{before.detail}, {text}" if before.detail else text
                found[name] = Stage(name=name, state=before.state, took=before.took, detail=joined)
            case StageEnded(name=name, state=state, seconds=seconds):
                before = found.get(name, Stage(name=name, state=state))
                found[name] = Stage(name=name, state=state, took=duration(seconds), detail=before.detail)
    return list(found.values())


def _texts(line: Line) -> list[tuple[str, str]]:
    for event in _events([line]):
        match event:
            case Message(level=level, text=text):
                return [(level, each) for each in text.splitlines()]
            case Output(text=text):
                return [("output", text)]
            case StageStarted(name=name):
                return [("stage", name)]
            case Failed(message=message):
                return [("error", message), *(("output", each) for each in event.lines)]
    return []
