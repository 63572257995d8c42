"""A site on another machine, deployed to again and again while things go wrong on the way there.

Each time ends in success, or in a failure that is clear, with the old container serving; in time, and with nothing
left over on either side.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

from agent.containers import DEPLOYMENT, ROLE
from agent.host import ContainerHost, HostAddress
from linux.local import connect
from linux.sandbox import Sandbox, down, up
from linux.sandbox.engine_call import EngineSocket
from tests.conftest import remove_leftovers
from tests.system.python_image import make_python_image
from tests.system.secrecy import LOGIN, nothing_shown
from tests.system.shop import DOCKERFILE, STEP, Site

LONGEST_SECONDS = 190.0
"""A machine that hangs is given up after a minute or so; and a busy one takes its time."""

CLEAR = {0, 7, 8, 9, 10}
"""Exit codes of failures that say what to do next."""

FAR_STEP = (
    STEP.replace(
        '  registry: "#{Registry}"\n',
        f'  registry: "#{{Registry}}"\n  registry-username: {LOGIN}\n  registry-password: "#{{Shop:Password}}"\n',
    )
    .replace('{GREETING: "#{Greeting}"}', '{GREETING: "#{Greeting}", PASSWORD: "#{Shop:Password}"}')
    .replace("    stop-timeout", "    stop-signal: SIGKILL\n    stop-timeout")
)
"""With a login at the registry, a secret in the environment, and an end at once, as it is done hundreds of times."""

FAR_HELD = FAR_STEP.replace(
    "    stop-timeout", "    cutover: {strategy: hold, image: '#{Relay.Image}'}\n    stop-timeout"
)


Way = Literal["layer", "built", "held"]
"""A layer over the release's image; a build there, each time; or the first, behind the relay."""


@dataclass(frozen=True, kw_only=True)
class Became:
    """Of a deployment that was disturbed. `told` is that in one line."""

    code: int
    seconds: float
    told: str


@dataclass
class FarSite:
    """`left` tells what of ours is still there on the machine, `clear` removes it; `told` is all that it was told to
    run.
    """

    site: Site
    left: Callable[[], list[str]]
    clear: Callable[[], None]
    told: Callable[[], str]
    secrets: tuple[str, ...]
    places: tuple[Path, ...]
    number: int = 0

    def go(self, way: Way) -> None:
        """From now on it is deployed in this way."""
        site = self.site
        if way == "built":
            site.dockerfile = f"{DOCKERFILE}RUN cat /app/index.html\n"
        if way == "held":
            site.settings["Relay.Image"] = f"{site.name}-python:1"
            make_python_image(site.settings["Relay.Image"], self._engine)
            site.step = FAR_HELD

    def deploy(self) -> None:
        """One that nothing disturbs."""
        self.number += 1
        done = self.site.run(self.number)
        assert done.code == 0, done.stderr
        faults = self._faults(True)
        assert faults == [], faults

    def disturbed(self, what: str) -> Became:
        """One with whatever was ordered, and what became of it. AssertionError if that is not as it should be."""
        before = self.site.page()
        self.number += 1
        begun = time.monotonic()
        with nothing_shown(self.secrets, lambda: (self.site.home, *self.places)) as texts:
            done = self.site.run(self.number)
            texts += [done.stdout, done.stderr, self.told()]
        seconds = time.monotonic() - begun
        now, error = self.site.page(), done.document.get("error") or ""
        told = f"{what}: exit {done.code} after {seconds:.1f} s; {now.strip()}; {error}"
        assert done.code in CLEAR, told + done.stderr
        assert bool(error) == bool(done.code), told
        assert seconds < LONGEST_SECONDS, told
        assert now == (self._page if done.code == 0 else before), told
        faults = self._faults(done.code == 0)
        assert faults == [], (told, faults)
        return Became(code=done.code, seconds=seconds, told=told)

    def start_afresh(self) -> None:
        """After a run that left what it should not have."""
        for container in self.site.containers():
            self.site.host.remove(container.id)
        shutil.rmtree(self.site.home / "work")
        for image in self.site.host.images(self._ours):
            if not image.tags:
                self.site.host.remove_image(image.id)
        self.clear()
        self.deploy()
        self.deploy()

    def tidy(self) -> None:
        """Remove the images of earlier deployments: hundreds would take their time."""
        used = {container.image_id for container in self.site.containers()}
        for image in self.site.host.images(self._ours):
            for tag in image.tags if image.id not in used else ():
                if "-deployments-" in tag:
                    self.site.host.remove_image(tag)

    @property
    def _engine(self) -> EngineSocket:
        return EngineSocket(self.site.host.url.removeprefix("unix://"))

    @property
    def _ours(self) -> dict[str, str]:
        return {"Octopus.Project.Id": f"Projects-{self.site.name}"}

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
        nameless = [one.id for one in site.host.images(self._ours) if not one.tags and not one.digests]
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


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
