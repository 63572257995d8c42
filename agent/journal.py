"""What the agent did: every deployment and every side effect of it, in one SQLite file under the home.

Each side effect is written twice, intent before and done after, in a commit of its own, so that after a crash
the journal shows how far the run came. What is running now is asked of the engine, never of the journal.
Texts are masked before they are written.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from agent.engine_name import engine_name
from agent.errors import HalfDoneError, StorageError
from agent.journal_records import (
    DEPLOYED,
    ChangeRecord,
    EffectRecord,
    Kind,
    NewRun,
    PackageRecord,
    PackageUse,
    RunRecord,
    SecretChange,
    State,
)

__all__ = [
    "DEPLOYED",
    "ChangeRecord",
    "EffectRecord",
    "Effects",
    "Journal",
    "Kind",
    "NewRun",
    "PackageRecord",
    "PackageUse",
    "RunEntry",
    "RunRecord",
    "SecretChange",
    "State",
    "existing_journal",
    "is_journal",
    "read_runs",
]

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL, slot TEXT NOT NULL,
    release TEXT NOT NULL, project TEXT NOT NULL, environment TEXT NOT NULL, tenant TEXT NOT NULL,
    step TEXT NOT NULL, host TEXT NOT NULL, process INTEGER NOT NULL, started TEXT NOT NULL,
    finished TEXT NOT NULL DEFAULT '', state TEXT NOT NULL DEFAULT 'running', error TEXT NOT NULL DEFAULT '',
    image TEXT NOT NULL DEFAULT '', digest TEXT NOT NULL DEFAULT '', container TEXT NOT NULL DEFAULT '',
    configuration TEXT NOT NULL DEFAULT '', boot_seconds REAL, outputs TEXT NOT NULL DEFAULT '{}',
    target TEXT NOT NULL DEFAULT '', specification TEXT NOT NULL DEFAULT ''
);
CREATE INDEX runs_by_slot ON runs (slot, number);
CREATE TABLE effects (
    run INTEGER NOT NULL REFERENCES runs (number), sequence INTEGER NOT NULL, stage TEXT NOT NULL,
    kind TEXT NOT NULL, name TEXT NOT NULL, intent TEXT NOT NULL, done TEXT NOT NULL DEFAULT '',
    failed TEXT NOT NULL DEFAULT '', PRIMARY KEY (run, sequence)
);
CREATE TABLE packages (
    run INTEGER NOT NULL REFERENCES runs (number), name TEXT NOT NULL, id TEXT NOT NULL,
    version TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL
);
CREATE TABLE changes (
    run INTEGER NOT NULL REFERENCES runs (number), feature TEXT NOT NULL, file TEXT NOT NULL,
    place TEXT NOT NULL, rule TEXT NOT NULL, old TEXT, new TEXT
);
"""


_OF_ENGINE = "(? = '' OR engine_name(host) = ?)"


class Effects(Protocol):
    """Where side effects are noted, intent before and done after."""

    def effect(self, stage: str, kind: str, name: str) -> AbstractContextManager[None]: ...


class Journal:
    """The journal under a home. Safe for several processes; one connection per object, one thread at a time.

    With the URL of a `host` it tells of this host's runs only: a slot is used on several hosts, and what happened
    on one is not to be continued, undone or gone back to on another.
    """

    def __init__(self, path: Path, mask: Callable[[str], str] = str, host: str = "") -> None:
        self._path = path
        self._mask = mask
        self._engine = engine_name(host) if host else ""
        with self._storing():
            self._database = _connect(path)

    def begin(self, run: NewRun) -> RunEntry:
        """Note that a run begins; from now on it is `running` until its entry says otherwise."""
        values = {name: getattr(run, name) for name in NewRun.__dataclass_fields__}
        values |= {"process": os.getpid(), "started": _now()}
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        with self._storing():
            cursor = self._database.execute(
                f"INSERT INTO runs ({columns}) VALUES ({marks})",  # noqa: S608  our own column names
                tuple(values.values()),
            )
        assert cursor.lastrowid is not None
        return RunEntry(self, cursor.lastrowid)

    def entry(self, record: RunRecord) -> RunEntry:
        """The open entry of a run that another process began."""
        return RunEntry(self, record.number)

    def runs(self, slot: str = "", limit: int = -1) -> list[RunRecord]:
        """The newest runs first, of one slot or of all."""
        where, values = ("slot = ?", (slot,)) if slot else ("TRUE", ())
        return self._select(where, values, limit)

    def all_runs(self) -> list[RunRecord]:
        """The newest runs first, of all hosts: registries are shared by them."""
        with self._storing():
            rows = self._database.execute("SELECT * FROM runs ORDER BY number DESC").fetchall()
        return [_record(row) for row in rows]

    def unfinished(self, slot: str = "") -> list[RunRecord]:
        """Runs that began and never ended, or could not be undone, the newest first; of one slot or of all."""
        return self._select("? IN ('', slot) AND state IN ('running', 'half-done')", (slot,))

    def slots(self) -> list[str]:
        """Every slot something was deployed to, the latest first."""
        with self._storing():
            rows = self._database.execute(
                f"SELECT slot FROM runs WHERE {_OF_ENGINE} GROUP BY slot ORDER BY MAX(number) DESC",  # noqa: S608
                (self._engine, self._engine),
            )
            return [row["slot"] for row in rows]

    def effects(self, record: RunRecord) -> list[EffectRecord]:
        """The side effects of one run, in order."""
        with self._storing():
            rows = self._database.execute(
                "SELECT stage, kind, name, intent, done, failed FROM effects WHERE run = ? ORDER BY sequence",
                (record.number,),
            ).fetchall()
        return [EffectRecord(**dict(row)) for row in rows]

    def built(self) -> set[str]:
        """The references of all images that runs on any host began to build or push."""
        with self._storing():
            rows = self._database.execute("SELECT DISTINCT name FROM effects WHERE kind IN ('build', 'push')")
            return {row["name"] for row in rows}

    def packages(self, record: RunRecord) -> list[PackageRecord]:
        """What one run was made of, in the order in which it was noted."""
        with self._storing():
            rows = self._database.execute(
                "SELECT name, id, version, sha256, size FROM packages WHERE run = ? ORDER BY rowid", (record.number,)
            ).fetchall()
        return [PackageRecord(**dict(row)) for row in rows]

    def changes(self, record: RunRecord) -> list[ChangeRecord]:
        """What one run changed in files, in the order in which it was noted."""
        with self._storing():
            rows = self._database.execute(
                "SELECT feature, file, place, rule, old, new FROM changes WHERE run = ? ORDER BY rowid",
                (record.number,),
            ).fetchall()
        return [ChangeRecord(**dict(row)) for row in rows]

    def secret_changes(self, record: RunRecord) -> list[SecretChange]:
        """Where one run put secrets into files."""
        with self._storing():
            rows = self._database.execute(
                "SELECT DISTINCT feature, file, place, rule FROM changes WHERE run = ? AND '********' IN (old, new)",
                (record.number,),
            ).fetchall()
        return [SecretChange(**dict(row)) for row in rows]

    def package_uses(self) -> list[PackageUse]:
        """Every package of every run, the newest run first."""
        with self._storing():
            rows = self._database.execute(
                "SELECT p.sha256, p.id AS package, p.version, r.number AS run, r.id AS deployment, r.slot, "
                "engine_name(r.host) AS engine, r.state "
                "FROM packages p JOIN runs r ON r.number = p.run ORDER BY r.number DESC, p.rowid"
            ).fetchall()
        return [PackageUse(**dict(row)) for row in rows]

    def close(self) -> None:
        self._database.close()

    def _select(self, condition: str, values: Sequence[object], limit: int = -1) -> list[RunRecord]:
        statement = f"SELECT * FROM runs WHERE {condition} AND {_OF_ENGINE} ORDER BY number DESC LIMIT ?"  # noqa: S608
        with self._storing():
            rows = self._database.execute(statement, (*values, self._engine, self._engine, limit)).fetchall()
        return [_record(row) for row in rows]

    @contextmanager
    def _storing(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StorageError(f"the journal {self._path} cannot be used: {error}; {_advice(error)}") from error


def _advice(error: sqlite3.Error | OSError) -> str:
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return "it is damaged: restore it, or move it away for a new one that knows nothing of earlier deployments"
    return "see that its disk has room and is writable"


def read_runs(path: Path, slot: str = "", limit: int = -1, host: str = "") -> list[RunRecord]:
    """The newest runs first, without making a journal where there is none; only one host's if it is given."""
    with existing_journal(path, host) as journal:
        return journal.runs(slot, limit) if journal else []


@contextmanager
def existing_journal(path: Path, host: str = "") -> Iterator[Journal | None]:
    """The journal, if there is one: none is made. StorageError if it cannot be used."""
    journal = Journal(path, host=host) if is_journal(path) else None
    try:
        yield journal
    finally:
        if journal is not None:
            journal.close()


def is_journal(path: Path) -> bool:
    """Whether one is there. StorageError if this user may not even look."""
    try:
        return path.exists()
    except OSError as error:
        raise StorageError(
            f"the journal {path} cannot be looked for: {error.strerror}; choose another --home or fix its rights"
        ) from error


class RunEntry:
    """The journal's page for one run."""

    def __init__(self, journal: Journal, number: int) -> None:
        self._journal = journal
        self._number = number

    @contextmanager
    def effect(self, stage: str, kind: str, name: str) -> Iterator[None]:
        """Note the intent, let it happen, note that it is done; or that it failed, and why."""
        sequence = self._intend(stage, kind, name)
        try:
            yield
        except BaseException as error:
            self._close_effect(sequence, "failed", self._mask(f"{type(error).__name__}: {error}"))
            raise
        self._close_effect(sequence, "done", _now())

    def packages(self, rows: Sequence[tuple[str, str, str, str, int]]) -> None:
        """Note what the run is made of: (name, id, version, sha256, size in bytes)."""
        self._write_many("INSERT INTO packages VALUES (?, ?, ?, ?, ?, ?)", rows)

    def changes(self, rows: Sequence[tuple[str, str, str, str, str | None, str | None]]) -> None:
        """Note what was changed in files: (feature, file, place, rule, old, new), secrets masked again here."""
        masked = [tuple(None if text is None else self._mask(text) for text in row) for row in rows]
        self._write_many("INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?)", masked)

    def note(self, *, image: str = "", digest: str = "", configuration: str = "", specification: str = "") -> None:
        """Keep what is known so far, so that a recovery can tell it too; empty facts are left as they are."""
        facts = {"image": image, "digest": digest, "configuration": configuration, "specification": specification}
        known = {column: self._mask(text) for column, text in facts.items() if text}
        assignments = ", ".join(f"{column} = ?" for column in known)
        if known:
            self._write(f"UPDATE runs SET {assignments} WHERE number = ?", (*known.values(), self._number))  # noqa: S608

    def fail(self, error: BaseException) -> None:
        """Note the end by a failure; one that could not be undone stays for a recovery to finish."""
        state: State = "half-done" if isinstance(error, HalfDoneError) else "failed"
        self.finish(state, str(error) or type(error).__name__)

    @contextmanager
    def noting_failure(self) -> Iterator[None]:
        """Note the end by whatever leaves the block as an error; an end in order is the caller's to note."""
        try:
            yield
        except BaseException as error:
            self.fail(error)
            raise

    def finish(self, state: State, error: str = "", **facts: object) -> None:
        """Note the end. `facts` are columns: container, boot_seconds, outputs."""
        values: dict[str, object] = {"state": state, "error": self._mask(error), "finished": _now(), **facts}
        if isinstance(outputs := facts.get("outputs"), Mapping):
            values["outputs"] = json.dumps({name: self._mask(str(value)) for name, value in outputs.items()})
        assignments = ", ".join(f"{column} = ?" for column in values)
        self._write(f"UPDATE runs SET {assignments} WHERE number = ?", (*values.values(), self._number))  # noqa: S608

    def _intend(self, stage: str, kind: str, name: str) -> int:
        with self._journal._storing():
            row = self._journal._database.execute(
                "INSERT INTO effects (run, sequence, stage, kind, name, intent) "
                "SELECT ?, COALESCE(MAX(sequence), 0) + 1, ?, ?, ?, ? FROM effects WHERE run = ? RETURNING sequence",
                (self._number, stage, kind, self._mask(name), _now(), self._number),
            ).fetchone()
        return int(row["sequence"])

    def _close_effect(self, sequence: int, column: Literal["done", "failed"], text: str) -> None:
        self._write(
            f"UPDATE effects SET {column} = ? WHERE run = ? AND sequence = ?",  # noqa: S608
            (text, self._number, sequence),
        )

    def _write(self, statement: str, values: Sequence[object]) -> None:
        with self._journal._storing():
            self._journal._database.execute(statement, values)

    def _write_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        with self._journal._storing():
            self._journal._database.execute("BEGIN IMMEDIATE")
            self._journal._database.executemany(statement, [(self._number, *row) for row in rows])
            self._journal._database.execute("COMMIT")

    def _mask(self, text: str) -> str:
        return self._journal._mask(text)


def _record(row: sqlite3.Row) -> RunRecord:
    return RunRecord(**{**dict(row), "outputs": json.loads(row["outputs"])})


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    database.row_factory = sqlite3.Row
    database.create_function("engine_name", 1, engine_name, deterministic=True)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    _migrate(database, path)
    return database


def _migrate(database: sqlite3.Connection, path: Path) -> None:
    database.execute("BEGIN IMMEDIATE")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version == 0:
        for statement in _SCHEMA.split(";"):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    database.execute("COMMIT")
    if version > SCHEMA_VERSION:
        raise StorageError(f"the journal {path} was written by a newer dockwright; install that version or newer")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
