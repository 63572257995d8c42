"""Runs a script on this machine: what it prints goes to a listener, and it ends when its time does, or the run's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from agent.errors import ScriptError, StorageError
from agent.host import LineSink
from agent.scripts.kit import Kit, kit
from agent.scripts.script import INTERPRETERS, Script

_LONGEST_LINE = 1024 * 1024
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
_AFTERWARDS = 2.0
"""Seconds in which the last output must come, once the script has ended; a service that it started may go on."""


@dataclass(frozen=True, kw_only=True)
class ScriptRun:
    """One script to run in `folder`. `private` is an empty folder, best in memory, that is used and emptied.

    `path` is the script's own file, if it has one that it may look around from; `time_limit` is in seconds.
    """

    script: Script
    folder: Path
    private: Path
    variables: Sequence[tuple[str, str]] = field(repr=False)
    time_limit: float
    path: Path | None = None


def run_script(run: ScriptRun, output: LineSink) -> int:
    """Run it to its end and return its exit code; whatever is not ended by then lives on.

    ScriptError if nothing here reads its language, or when its time is up; then, and when the run is stopped, it
    is killed with all that it has started.
    """
    interpreter = _interpreter(run.script)
    prepared = kit(run.script, run.variables)
    with _written(prepared, run.private):
        command = [interpreter, *prepared.arguments(run.private, run.path)]
        process = _started(command, run)
        reading = _Reading(process.stdout, output)
        try:
            code = process.wait(run.time_limit)
        except subprocess.TimeoutExpired as error:
            raise ScriptError(
                f"{run.script.name} had not ended after {run.time_limit:g} s and was killed; give it more time"
            ) from error
        finally:
            if process.returncode is None:
                _kill(process)
            reading.end()
    return code if code >= 0 else 128 - code


def _interpreter(script: Script) -> str:
    known = (script.interpreter,) if script.interpreter else INTERPRETERS[script.language]
    for name in known:
        if found := shutil.which(name):
            return found
    names = " or ".join(known)
    raise ScriptError(f"{script.name} cannot be run: there is no {names} here; install one, or turn scripts off")


@contextmanager
def _written(prepared: Kit, folder: Path) -> Iterator[None]:
    """The kit's files, for their owner alone, for as long as they are needed."""
    try:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name, content in prepared.files.items():
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
                with os.fdopen(os.open(folder / name, flags, 0o600), "wb") as file:
                    file.write(content)
        except OSError as error:
            raise StorageError(f"{folder} cannot be written: {error.strerror}; check the space there") from error
        yield
    finally:
        for name in prepared.files:
            (folder / name).unlink(missing_ok=True)


def _started(command: list[str], run: ScriptRun) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith("DOCKWRIGHT_")}
    try:
        return subprocess.Popen(
            command,
            cwd=run.folder,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise ScriptError(f"{run.script.name} cannot be run with {command[0]}: {error.strerror}") from error


class _Reading:
    """Hands on every line, in pieces if it is long, until nobody is left to write one, or nobody to hear it."""

    def __init__(self, stream: IO[bytes] | None, output: LineSink) -> None:
        assert stream is not None
        self._stream = stream
        self._output = output
        self._heard = True
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._thread.join(_AFTERWARDS)
        self._heard = False

    def _read(self) -> None:
        with self._stream:
            while line := self._stream.readline(_LONGEST_LINE):
                if self._heard:
                    self._output(line.decode("utf-8", "replace").rstrip("\r\n"))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the script and all that it has started. It shares our process group, so it dies with us in any case."""
    if hasattr(os, "killpg"):
        while family := _family(process.pid):
            for member in (process.pid, *family):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(member, _KILL)
            time.sleep(0.01)
    else:
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True, check=False)
    process.kill()
    process.wait()


def _family(process: int) -> list[int]:
    """Its children, and theirs; none where there is no /proc."""
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError, ValueError):
            children = [int(word) for word in task.read_text(encoding="ascii").split()]
            found += children
            for child in children:
                found += _family(child)
    return found
