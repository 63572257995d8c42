"""A site on another machine, deployed to again and again while things go wrong on the way there.

Each time ends in success, or in a failure that is clear, with the old container serving; in time, and with nothing
left over on either side.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from agent.containers import DEPLOYMENT, ROLE
from agent.host import ContainerHost, HostAddress
from linux.local import connect
from linux.sandbox import Sandbox, down, up
from linux.sandbox.engine_call import EngineSocket
from tests.conftest import remove_leftovers
from tests.system.secrecy import LOGIN, nothing_shown
from tests.system.shop import STEP, Site

LONGEST_SECONDS = 190.0
"""A machine that hangs is given up after a minute or so; and a busy one takes its time."""

CLEAR = {0, 7, 8, 9, 10}
"""Exit codes of failures that say what to do next."""

FAR_STEP = STEP.replace(
    '  registry: "#{Registry}"\n',
    f'  registry: "#{{Registry}}"\n  registry-username: {LOGIN}\n  registry-password: "#{{Shop:Password}}"\n',
).replace('{GREETING: "#{Greeting}"}', '{GREETING: "#{Greeting}", PASSWORD: "#{Shop:Password}"}')
"""With a login at the registry, and a secret in the environment."""

FAR_HELD = FAR_STEP.replace(
    "    stop-timeout", "    cutover: {strategy: hold, image: '#{Relay.Image}'}\n    stop-timeout"
)


@dataclass
class FarSite:
    """`left` tells what of ours is still there on the machine; `told` all that it was told to run."""

    site: Site
    left: Callable[[], list[str]]
    told: Callable[[], str]
    secrets: tuple[str, ...]
    places: tuple[Path, ...]
    number: int = 0
    codes: dict[int, int] = field(default_factory=dict)

    def deploy(self) -> None:
        """One that nothing disturbs."""
        self.number += 1
        done = self.site.run(self.number)
        assert done.code == 0, done.stderr
        assert self._faults(True) == []

    def disturbed(self, what: str) -> str:
        """One with whatever was ordered, and what became of it. AssertionError if that is not as it should be."""
        before = self.site.page()
        self.number += 1
        begun = time.monotonic()
        with nothing_shown(self.secrets, lambda: (self.site.home, *self.places)) as texts:
            done = self.site.run(self.number)
            texts += [done.stdout, done.stderr, self.told()]
        seconds = time.monotonic() - begun
        self.codes[done.code] = self.codes.get(done.code, 0) + 1
        now = self.site.page()
        told = f"{what}: exit {done.code} after {seconds:.1f} s; {now.strip()}; {done.document.get('error') or ''}"
        assert done.code in CLEAR, told + done.stderr
        assert seconds < LONGEST_SECONDS, told
        assert now == (self._page if done.code == 0 else before), told
        faults = self._faults(done.code == 0)
        assert faults == [], (told, faults)
        return told

    @property
    def _page(self) -> str:
        return f"<h1>Test Deployments-{self.number}</h1>\n"

    def _faults(self, succeeded: bool) -> list[str]:
        site, deployment = self.site, f"Deployments-{self.number}"
        applications = [one for one in site.containers() if ROLE not in one.labels]
        serving = [one.name for one in applications if one.running]
        found = [] if len(serving) == 1 else [f"{serving} serve"]
        found += [
            f"a container is left: {one.name} ({one.state})"
            for one in applications
            if one.state == "created" or (one.labels[DEPLOYMENT] == deployment and not succeeded)
        ]
        images = site.host.images({"Octopus.Project.Id": f"Projects-{site.name}"})
        nameless = [one.id for one in images if not one.tags and not one.digests]
        found += [f"an image without a name is left: {one}" for one in nameless]
        return found + _settled(self._left_over)

    def _left_over(self) -> list[str]:
        work = self.site.home / "work"
        here = [f"{path.name} is left here" for path in work.iterdir() if not path.name.startswith(".")]
        return here + [f"left there: {each}" for each in self.left()]


def _settled(look: Callable[[], list[str]], seconds: float = 20) -> list[str]:
    """Programs whose connection was cut need a moment to notice."""
    deadline = time.monotonic() + seconds
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def moments(whole: int, count: int, chance: random.Random) -> list[int]:
    """So many of 1 to `whole`, spread evenly, in random order."""
    spread = [int((index + chance.random()) * whole / count) + 1 for index in range(count)]
    chance.shuffle(spread)
    return spread


@contextmanager
def far_sandbox() -> Iterator[tuple[Sandbox, ContainerHost, Path, str]]:
    """An engine, its host, a folder and a name, for one hand-run harness."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    prefix = f"dockwright-test-{uuid4().hex[:10]}"
    with tempfile.TemporaryDirectory(prefix="far-") as name:
        state = Path(name) / "state"
        sandbox = up(state, base_image=f"{prefix}/base:1", say=say)
        try:
            with closing(connect(HostAddress(url=sandbox.host))) as host:
                yield sandbox, host, Path(name), f"{prefix}-shop"
        finally:
            remove_leftovers(EngineSocket(sandbox.host.removeprefix("unix://")), prefix, sandbox.base_image)
            down(state, say=say)


def summary(far: FarSite, wrong: list[str]) -> int:
    """Tell; the exit code."""
    say(f"exit codes: {dict(sorted(far.codes.items()))}; {len(wrong)} wrong")
    for each in wrong:
        say(f"WRONG: {each}")
    return 1 if wrong else 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
