"""Runs that are killed: at every point where the journal is written, and at random times.

    python -m tests.system.kills [N] [WHAT]

WHAT is recreate, image-per-deployment, proxy, nginx, hold, rollback, scale or run-image.

Each run is a real one, in a session of its own, and dies by SIGKILL to all of its process group; whatever it left to
watch over the slot lives. Then one command follows, the same deployment again or the next, and everything must be as
if nothing had happened; what that means is in `mortals.py`.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from agent.containers import SLOT
from agent.host import ContainerHost, HostAddress
from linux.local import connect
from linux.sandbox import Sandbox, down, up
from linux.sandbox.engine_call import EngineSocket
from tests.conftest import remove_leftovers
from tests.system.mortals import Mortal, mortal
from tests.system.shop import environment, guards_of

SLOWEST_SECONDS = 120.0
GUARDS_THAT_DIE = 0.3
_VICTIM = """
import os, signal, sys
from agent.cli import main
from agent.journal import RunEntry

wanted, when, seen = int(sys.argv.pop(1)), sys.argv.pop(1), 0
write, intend = RunEntry._write, RunEntry._intend

def die():
    os.killpg(0, signal.SIGKILL)

def counted(function):
    def around(*arguments, **options):
        global seen
        seen += 1
        if seen == wanted and when == "before":
            die()
        result = function(*arguments, **options)
        if seen == wanted and when == "after":
            die()
        return result
    return around

RunEntry._write, RunEntry._intend = counted(write), counted(intend)
sys.argv[0] = "dockwright"
try:
    main()
finally:
    print(f"{seen} writes", file=sys.stderr)
"""


@dataclass(frozen=True)
class Death:
    """When a run is to die: at the n-th writing of the journal, or after so many seconds where `write` is 0."""

    write: int = 0
    when: str = "before"
    seconds: float = 0
    guard_too: bool = False
    """Whoever watches over the slot dies a moment later, in the midst of putting things right."""

    def __str__(self) -> str:
        moment = f"{self.when} write {self.write}" if self.write else f"after {self.seconds:.2f} s"
        return f"{moment}, with its guard" if self.guard_too else moment


def kill(mortal: Mortal, deployment: int, death: Death, chance: random.Random) -> None:
    """Run a deployment and let it die."""
    command = [sys.executable, "-c", _VICTIM, str(death.write), death.when, *mortal.arguments(deployment)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, env=environment()
    )
    if not death.write:
        try:
            process.wait(death.seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait(SLOWEST_SECONDS)
    if death.guard_too:
        time.sleep(chance.choice((0, 0.2, 0.5)))
        for guard in guards_of(mortal.home):
            with suppress(ProcessLookupError):
                os.kill(guard, signal.SIGKILL)


def writes_of_a_run(mortal: Mortal, deployment: int) -> int:
    """How often a whole run writes the journal."""
    command = [sys.executable, "-c", _VICTIM, "0", "before", *mortal.arguments(deployment)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    return int(done.stderr.splitlines()[-1].split()[0])


def serves_at_once(mortal: Mortal, seconds: float = 30) -> bool:
    """Whether somebody serves soon after a run has died, by the guard's doing if need be."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if mortal.serves():
            return True
        time.sleep(0.1)
    return False


def deaths(writes: int, count: int, chance: random.Random, usual_seconds: float) -> list[Death]:
    """Points of the journal, before and after each writing, and some random times, in random order; all the points
    if so many are wanted. In some of them the guard dies too.
    """
    points = [Death(write=number, when=when) for number in range(1, writes + 1) for when in ("before", "after")]
    chosen = chance.sample(points, min(len(points), count - count // 5))
    chosen += [Death(seconds=chance.uniform(0, usual_seconds)) for _ in range(count - len(chosen))]
    chance.shuffle(chosen)
    return [replace(death, guard_too=chance.random() < GUARDS_THAT_DIE) for death in chosen]


def try_all(mortal: Mortal, count: int, seed: int = 1) -> list[str]:
    """Kill so many runs; every fault that was found."""
    chance = random.Random(seed)
    began = time.monotonic()
    writes = writes_of_a_run(mortal, 1)
    usual = time.monotonic() - began
    print(f"a run writes the journal {writes} times and takes {usual:.1f} s", flush=True)
    deployment = 1
    found: list[str] = []
    for death in deaths(writes, count, chance, usual):
        deployment += 1
        here = try_one(mortal, deployment, death, chance)
        deployment += 1
        found += [f"{death}: {fault}" for fault in here]
        print(f"{death}: {'ok' if not here else '; '.join(here)}", flush=True)
    return found


def try_one(mortal: Mortal, deployment: int, death: Death, chance: random.Random) -> list[str]:
    """Kill this deployment, and run the same one again, or the next. What is wrong then."""
    kill(mortal, deployment, death, chance)
    again = chance.choice((True, False))
    found = [] if death.guard_too or serves_at_once(mortal) else ["nobody served after the kill"]
    follower = deployment if again else deployment + 1
    done = mortal.run(follower)
    if done.code:
        return [*found, f"the next command failed: {done.error}"]
    return found + mortal.faults(follower)


@contextmanager
def sandboxed(name: str) -> Iterator[tuple[Sandbox, ContainerHost, Path]]:
    """An engine, a registry, and a folder, for one hand-run harness; taken away also when it is terminated."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as folder:
        state = Path(folder) / "sandbox"
        sandbox = up(state, base_image=f"dockwright-{name}/base:1", say=print)
        host = connect(HostAddress(url=sandbox.host))
        try:
            yield sandbox, host, Path(folder)
        finally:
            for container in host.find({SLOT: ""}):
                if f"dockwright-{name}" in container.name:
                    host.remove(container.id)
            host.close()
            remove_leftovers(
                EngineSocket(sandbox.host.removeprefix("unix://")), f"dockwright-{name}", sandbox.base_image
            )
            down(state, say=print)


def main() -> None:
    """Kill, tell, and end with 1 if anything was wrong."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    strategy = sys.argv[2] if len(sys.argv) > 2 else "recreate"
    with sandboxed(f"kills-{strategy}") as (sandbox, host, folder), mortal(strategy, sandbox, host, folder) as victim:
        found = try_all(victim, count)
    print(f"{count} kills, {len(found)} faults")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
