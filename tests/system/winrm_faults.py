"""A deployment over WinRM in which any request goes wrong: `python -m tests.system.winrm_faults api|cli [RUNS]`.

Each run ends in success, or in a failure that is clear, with the old container serving; in time, and with nothing
left over on the machine. The requests are spread evenly over all of an undisturbed run, the ways of going wrong
follow each other.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import get_args
from uuid import uuid4

from agent.host import ContainerHost, HostAddress
from linux.local import connect
from linux.sandbox import Sandbox, down, up
from linux.sandbox.engine_call import EngineSocket
from linux.sandbox.install import program
from tests.conftest import remove_leftovers
from tests.system.shop import SECRET, Site, free_port
from tests.winrm.server import WinRMServer, prepared, serving
from tests.winrm.settings import Kind, Mishap, Settings

LONGEST_SECONDS = 150
CLEAR = {0, 7, 8, 9, 10}


def disturbed(site: Site, server: WinRMServer, number: int, mishap: Mishap) -> str:
    """One deployment, and what became of it. AssertionError if that is not as it should be."""
    before = site.page()
    server.order(mishap)
    begun = time.monotonic()
    done = site.run(number)
    seconds = time.monotonic() - begun
    server.order()
    now, running = site.page(), site.serving()
    told = f"{mishap.kind} at {mishap.nth}: exit {done.code} after {seconds:.1f} s; {now.strip()}; "
    told += str(done.document.get("error") or "")
    assert done.code in CLEAR, told + done.stderr
    assert seconds < LONGEST_SECONDS, told
    assert len(running) == 1, (told, running)
    assert now == (f"<h1>Test Deployments-{number}</h1>\n" if done.code == 0 else before), told
    assert server.machine.running() == [], told
    for secret in (SECRET, server.settings.password):
        assert not any(secret in line for line in server.machine.lines)
    return told


def tried(site: Site, server: WinRMServer, runs: int) -> None:
    assert site.run(1).code == 0
    server.order()
    before = len(server.asked)
    done = site.run(2)
    assert done.code == 0, done.stderr
    whole = len(server.asked) - before
    say(f"{whole} requests in an undisturbed deployment")
    kinds: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind not in ("fault", "too-large"))
    chance = random.Random(runs)
    for index in range(runs):
        nth = int((index + chance.random()) * whole / runs) + 1
        mishap = Mishap(kind=kinds[index % len(kinds)], nth=nth, seconds=0.5)
        say(disturbed(site, server, index + 3, mishap))


def main() -> None:
    engine, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 24
    prefix = f"dockwright-test-{uuid4().hex[:10]}"
    with tempfile.TemporaryDirectory() as name:
        state = Path(name) / "state"
        sandbox = up(state, base_image=f"{prefix}/base:1", say=say)
        host = connect(HostAddress(url=sandbox.host))
        try:
            _try_on(sandbox, host, Path(name), f"{prefix}-shop", engine, runs)
        finally:
            host.close()
            remove_leftovers(EngineSocket(sandbox.host.removeprefix("unix://")), prefix, sandbox.base_image)
            down(state, say=say)


def _try_on(sandbox: Sandbox, host: ContainerHost, folder: Path, name: str, engine: str, runs: int) -> None:
    settings = Settings(
        root=prepared(folder / "machine"),
        password=token_hex(8),
        programs={"docker": program("docker") or "docker"},
        environment={"DOCKER_HOST": sandbox.host},
    )
    os.environ["DOCKWRIGHT_HOST_PASSWORD"] = settings.password
    (folder / "site").mkdir()
    with serving(settings) as server:
        far = replace(sandbox, host=f"{server.url}&engine={engine}")
        site = Site(name=name, folder=folder / "site", port=free_port(), sandbox=far, host=host)
        try:
            tried(site, server, runs)
        finally:
            for container in site.containers():
                host.remove(container.id)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
