"""Runs that are killed: at every point where the journal is written, and at random times.

    python -m tests.system.kills [N] [STRATEGY]

Each run is a real one, in a session of its own, and dies by SIGKILL to all of its process group; whatever it left to
watch over the slot lives. Then one command follows, the same deployment again or the next, and everything must be as
if nothing had happened: one serving container, nothing half-made in the engine or on disk, a journal that tells it.
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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.containers import SLOT
from agent.host import ContainerHost, HostAddress
from agent.journal import Journal, read_runs
from agent.labels import CONFIGURATION
from agent.lock import try_lock
from linux.local import connect
from linux.sandbox import Sandbox, down, up
from tests.system.shop import Site, environment, free_port

SLOWEST_SECONDS = 120.0
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

    def __str__(self) -> str:
        return f"{self.when} write {self.write}" if self.write else f"after {self.seconds:.2f} s"


def kill(site: Site, deployment: int, death: Death) -> bool:
    """Run a deployment and let it die. Whether it died before its end."""
    site.write()
    arguments = site.arguments("run", deployment, "--output", "plain")
    command = [sys.executable, "-c", _VICTIM, str(death.write), death.when, *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, env=environment()
    )
    if not death.write:
        try:
            process.wait(death.seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait(SLOWEST_SECONDS) < 0


def writes_of_a_run(site: Site, deployment: int) -> int:
    """How often a whole run writes the journal."""
    site.write()
    arguments = site.arguments("run", deployment, "--output", "plain")
    command = [sys.executable, "-c", _VICTIM, "0", "before", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    return int(done.stderr.splitlines()[-1].split()[0])


def faults(site: Site, deployment: int) -> list[str]:
    """What is not as it should be, now that `deployment` has succeeded."""
    return list(_faults(site, f"Deployments-{deployment}"))


def _faults(site: Site, deployment: str) -> Iterator[str]:
    serving = site.serving()
    if len(serving) != 1:
        yield f"{len(serving)} containers serve: {serving}"
    if deployment not in site.page():
        yield f"the page is {site.page()!r}, not {deployment}'s"
    unborn = [container.name for container in site.containers() if container.state == "created"]
    if unborn:
        yield f"never started: {unborn}"
    runs = read_runs(site.home / "journal.db", site.slot)
    if runs[0].state != "succeeded" or [runs[0].container] != serving:
        yield f"the journal says {runs[0].state} {runs[0].container}, and {serving} serve"
    if open_runs := [run.id for run in runs if run.state in {"running", "half-done"}]:
        yield f"the journal has open ends: {open_runs}"
    good = {run.id.lower() for run in runs if run.state == "succeeded"}
    yield from _images_of_nobody(site, good)
    if left := [path.name for path in (site.home / "work").iterdir() if not path.name.startswith(".")]:
        yield f"left in the home: {left}"
    if memory := [path.name for path in Path("/dev/shm").glob(f"dockwright-{os.geteuid()}-*") if _abandoned(path)]:
        yield f"left in memory: {memory}"


def _abandoned(folder: Path) -> bool:
    """Whether nobody holds it: others may be at work on this machine."""
    held = try_lock(folder.with_name(f".{folder.name}.lock"))
    if held is not None:
        os.close(held)
    return held is not None


def _images_of_nobody(site: Site, good: set[str]) -> Iterator[str]:
    """Images of deployments that never succeeded."""
    for image in site.host.images({CONFIGURATION: ""}):
        for tag in image.tags:
            name = tag.rpartition("/")[2]
            if (
                name.startswith(f"{site.name}:")
                and "-deployments-" in name
                and name.rpartition("1.0.0-")[2] not in good
            ):
                yield f"an image of nobody's: {tag}"


def serves_at_once(site: Site, seconds: float = 30) -> bool:
    """Whether somebody serves soon after a run has died, by the guard's doing if need be."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if site.page():
            return True
        time.sleep(0.1)
    return False


def deaths(writes: int, count: int, chance: random.Random, usual_seconds: float) -> list[Death]:
    """Every point of the journal, before and after, then random times, as many as are wanted; in random order."""
    points = [Death(write=number, when=when) for number in range(1, writes + 1) for when in ("before", "after")]
    more = [Death(seconds=chance.uniform(0, usual_seconds)) for _ in range(count - len(points))]
    chosen = points[:] if count >= len(points) else chance.sample(points, count)
    return chosen + more


def try_all(site: Site, count: int, seed: int = 1) -> list[str]:
    """Kill so many runs; every fault that was found."""
    chance = random.Random(seed)
    deployment = 1
    began = time.monotonic()
    writes = writes_of_a_run(site, deployment)
    usual = time.monotonic() - began
    found: list[str] = []
    for death in deaths(writes, count, chance, usual):
        deployment += 1
        died = kill(site, deployment, death)
        somebody = serves_at_once(site)
        deployment += chance.choice((0, 1)) if died else 1
        done = site.run(deployment)
        here = faults(site, deployment) if done.code == 0 else [f"the next command failed: {done.error}"]
        here += [] if somebody else ["nobody served after the kill"]
        found += [f"{death}: {fault}" for fault in here]
        print(f"{death}: {'ok' if not here else '; '.join(here)}", flush=True)
    return found


@contextmanager
def sandboxed(name: str) -> Iterator[tuple[Sandbox, ContainerHost, Path]]:
    """An engine, a registry, and a folder, for one hand-run harness."""
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
            down(state, say=print)


def main() -> None:
    """Kill, tell, and end with 1 if anything was wrong."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    strategy = sys.argv[2] if len(sys.argv) > 2 else "recreate"
    with sandboxed("kills") as (sandbox, host, folder):
        site = Site("dockwright-kills", folder, free_port(), sandbox, host)
        if strategy == "image-per-deployment":
            site.step = site.step.replace("step: source-image", "step: image-per-deployment")
        found = try_all(site, count)
        Journal(site.home / "journal.db").close()
    print(f"{count} kills, {len(found)} faults")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
