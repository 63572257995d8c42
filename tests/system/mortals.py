"""Deployments that can be killed, each with a way to see whether everything is as if nothing had happened.

That is: as many serving containers as are wanted and what stands before them leads there; in the engine and on disk
nothing of a run that did not succeed; and a journal that tells it.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from agent.containers import DEPLOYMENT, ROLE, SLOT, serving
from agent.errors import InputError
from agent.host import ContainerHost, ContainerInfo, ImageInfo
from agent.journal import read_runs
from agent.lock import try_lock
from linux.sandbox import Sandbox
from linux.sandbox.engine_call import EngineSocket
from linux.sandbox.install import program
from tests.system.proxies import RunningProxy, haproxy, nginx
from tests.system.python_image import make_python_image
from tests.system.runbook import Runbook
from tests.system.shop import STEP, Finished, Site, dockwright, free_port

PER_DEPLOYMENT = (
    STEP.replace("step: source-image", "step: image-per-deployment")
    .replace("  source: Shop.Sdi\n", "")
    .replace('  registry: "#{Registry}"\n', "")
)
PROXIED = STEP.replace('["127.0.0.1:#{Site.Port}:80"]', '["80"]').replace(
    "    stop-timeout",
    "    replicas: 2\n    cutover: {strategy: proxy, haproxy: '#{Socket}', backend: shop}\n    stop-timeout",
)
BEHIND_NGINX = PROXIED.replace(
    "haproxy: '#{Socket}', backend: shop",
    "nginx: '#{Include}', backend: shop, url: '#{Url}', test: [nginx, -t, -c, '#{Nginx}'], "
    "reload: [nginx, -s, reload, -c, '#{Nginx}']",
)
HELD = STEP.replace("    stop-timeout", "    cutover: {strategy: hold, image: '#{Relay.Image}'}\n    stop-timeout")


class Mortal(Protocol):
    """Something to run, to kill, and to run again."""

    @property
    def home(self) -> Path: ...

    def arguments(self, deployment: int) -> list[str]:
        """Of `dockwright`, to run it once; everything it reads is written anew."""
        ...

    def run(self, deployment: int) -> Finished: ...

    def serves(self) -> bool:
        """Whether there is an answer now, from whichever deployment."""
        ...

    def faults(self, deployment: int) -> list[str]:
        """What is not as it should be, now that `deployment` has succeeded."""
        ...


@contextmanager
def mortal(strategy: str, sandbox: Sandbox, host: ContainerHost, folder: Path) -> Iterator[Mortal]:
    """A site that is replaced by this strategy or step, or a runbook for `run-image`."""
    name = f"dockwright-kills-{strategy}-site"
    site = Site(name, folder, free_port(), sandbox, host)
    match strategy:
        case "recreate":
            yield MortalSite(site)
        case "image-per-deployment":
            site.step = PER_DEPLOYMENT
            yield MortalSite(site)
        case "rollback":
            site.run(0)
            yield MortalSite(site, rolls_back=True)
        case "proxy":
            yield from _behind_haproxy(site)
        case "nginx":
            yield from _behind_nginx(site)
        case "scale":
            for behind in _behind_haproxy(site):
                site.run(0)
                scaled = MortalScale(behind)
                scaled.run(2)
                yield scaled
        case "hold":
            site.step = HELD
            site.settings["Relay.Image"] = f"{name}-python:1"
            make_python_image(site.settings["Relay.Image"], EngineSocket(sandbox.host.removeprefix("unix://")))
            yield MortalSite(site)
        case "run-image":
            yield MortalRunbook(Runbook(name, folder, sandbox, host, more=ARTIFACT, files={"run.sh": "date > date"}))
        case _:
            raise InputError(f"there is no '{strategy}' to be killed")


ARTIFACT = "  artifacts: [/suite/date]\n"


def _behind_haproxy(site: Site) -> Iterator[MortalSite]:
    place = site.folder / "proxy"
    place.mkdir()
    with haproxy(place, lambda name: program(name) or name) as proxy:
        site.step, site.port = PROXIED, proxy.port
        site.settings["Socket"] = proxy.settings.haproxy
        yield MortalSite(site, replicas=2, proxy=proxy)


def _behind_nginx(site: Site) -> Iterator[MortalSite]:
    place = site.folder / "proxy"
    place.mkdir()
    with nginx(place, lambda name: program(name) or name) as proxy:
        site.step, site.port = BEHIND_NGINX, proxy.port
        settings = {"Include": proxy.settings.nginx, "Url": proxy.settings.url, "Nginx": f"{place}/nginx.conf"}
        site.settings.update(settings)
        yield MortalSite(site, replicas=2, proxy=proxy)


@dataclass(frozen=True)
class MortalSite:
    """A site, of which `replicas` serve. It is deployed to, or deployed to and rolled back."""

    site: Site
    replicas: int = 1
    proxy: RunningProxy | None = None
    rolls_back: bool = False
    deployed: str = ""
    """Which deployment serves, if that does not change."""

    @property
    def home(self) -> Path:
        return self.site.home

    def arguments(self, deployment: int) -> list[str]:
        if self.rolls_back:
            self.run(deployment)
            return ["rollback", "--home", str(self.home), "--host", self.site.sandbox.host, "--output", "plain"]
        self.site.write()
        return self.site.arguments("run", deployment, "--output", "plain")

    def run(self, deployment: int) -> Finished:
        return self.site.run(deployment)

    def serves(self) -> bool:
        return bool(self.site.page())

    def faults(self, deployment: int) -> list[str]:
        return list(self._faults(self.deployed or f"Deployments-{deployment}"))

    def _faults(self, deployment: str) -> Iterator[str]:
        site = self.site
        containers = serving(site.host, site.slot)
        yield from self._faults_of_front(containers)
        serve = [one.name for one in containers]
        if len(serve) != self.replicas or {one.labels[DEPLOYMENT] for one in containers} != {deployment}:
            yield f"{serve} serve"
        pages = {site.page() for _ in range(2 * self.replicas)}
        if any(deployment not in page for page in pages):
            yield f"the pages are {pages}, not {deployment}'s"
        runs = read_runs(site.home / "journal.db", site.slot)
        if runs[0].state != "succeeded" or runs[0].id != deployment or runs[0].container not in serve:
            yield f"the journal says {runs[0].state} {runs[0].id} {runs[0].container}, and {serve} serve"
        good = {run.id for run in runs if run.state == "succeeded"}
        yield from _containers_of_nobody(site, good)
        yield from _images_of_nobody(site, {name.lower() for name in good})
        yield from _open_ends(site.home, site.slot)

    def _faults_of_front(self, containers: list[ContainerInfo]) -> Iterator[str]:
        if self.proxy is not None and (led_to := _led_to(self.proxy)) != {one.addresses[0] for one in containers}:
            yield f"the proxy leads to {led_to}, and {[(one.name, one.addresses) for one in containers]} serve"


@dataclass(frozen=True)
class MortalScale:
    """A site that is scaled to and fro, from one to three and back, by two runs each time. The image stays."""

    behind: MortalSite

    @property
    def home(self) -> Path:
        return self.behind.home

    def arguments(self, deployment: int) -> list[str]:
        site = self.behind.site
        to = str(self._wanted(deployment))
        return ["scale", site.slot, to, "--home", str(self.home), "--host", site.sandbox.host, "--output", "json"]

    def run(self, deployment: int) -> Finished:
        return dockwright(*self.arguments(deployment))

    def serves(self) -> bool:
        return self.behind.serves()

    def faults(self, deployment: int) -> list[str]:
        scaled = replace(self.behind, replicas=self._wanted(deployment), deployed="Deployments-0")
        return scaled.faults(deployment)

    def _wanted(self, deployment: int) -> int:
        return 1 if deployment // 2 % 2 else 3


@dataclass(frozen=True)
class MortalRunbook:
    """A run of an image, of which nothing stays but its artifacts."""

    runbook: Runbook

    @property
    def home(self) -> Path:
        return self.runbook.home

    def arguments(self, deployment: int) -> list[str]:
        return self.runbook.arguments(deployment, output="plain")

    def run(self, deployment: int) -> Finished:
        return self.runbook.run(deployment)

    def serves(self) -> bool:
        return True

    def faults(self, deployment: int) -> list[str]:
        found = [f"left: {left}" for left in self.runbook.left()]
        engine = EngineSocket(self.runbook.sandbox.host.removeprefix("unix://"))
        lists = ("/containers/json?all=1", "/images/json?all=1")
        found += [f"it is in {path}" for path in lists if self.runbook.name.encode() in engine.call("GET", path)[1]]
        newest = read_runs(self.runbook.home / "journal.db", self.runbook.slot)[0]
        if (newest.id, newest.state) != (f"RunbookRuns-{deployment}", "succeeded"):
            found.append(f"the journal says {newest.id} {newest.state}")
        if not (self.runbook.home / "artifacts" / f"runbookruns-{deployment}" / "date").exists():
            found.append("the artifact is missing")
        return [*found, *_open_ends(self.runbook.home, self.runbook.slot)]


def _led_to(proxy: RunningProxy) -> set[str]:
    """The addresses that get new requests: of HAProxy's servers that are up, and neither in maintenance nor draining;
    of nginx's in the file that it has been seen to have loaded.
    """
    if proxy.settings.nginx:
        return _loaded(proxy)
    from agent.containers.cutover.haproxy import _exchange

    lines = _exchange(proxy.settings.haproxy, f"show servers state {proxy.settings.backend}").splitlines()
    header = next(line.split()[1:] for line in lines if line.startswith("#"))
    rows = [dict(zip(header, line.split(), strict=True)) for line in lines if len(line.split()) == len(header)]
    return {row["srv_addr"] for row in rows if not int(row["srv_admin_state"]) & 0x09 and row["srv_op_state"] == "2"}


def _loaded(proxy: RunningProxy) -> set[str]:
    from agent.containers.cutover.nginx_include import shown_words

    text = Path(proxy.settings.nginx).read_text(encoding="utf-8")
    loaded = any(word in text for word in shown_words(proxy.settings.url))
    return set(re.findall(r"server ([\d.]+):", text)) if loaded else {"nothing that its file says"}


def _containers_of_nobody(site: Site, good: set[str]) -> Iterator[str]:
    """Of deployments that never succeeded, or never started; and relays, of which one is enough."""
    relays = []
    for container in site.containers():
        if ROLE in container.labels:
            relays.append(container)
        elif container.state == "created" or container.labels[DEPLOYMENT] not in good:
            yield f"a container of nobody's: {container.name} ({container.state})"
    if len(relays) > 1 or any(not relay.running for relay in relays):
        yield f"relays: {[(relay.name, relay.state) for relay in relays]}"
    strangers = [one.name for one in site.host.find({}) if site.name in one.name and SLOT not in one.labels]
    if strangers:
        yield f"containers without a slot: {strangers}"


def _images_of_nobody(site: Site, good: set[str]) -> Iterator[str]:
    """Images of deployments that never succeeded, or that have lost their names."""
    for image in site.host.images({"Octopus.Project.Id": f"Projects-{site.name}"}):
        if not image.tags and not image.digests:
            yield f"an image without a name: {image.id}"
        for name in _versions(image):
            if "-deployments-" in name and name.rpartition("1.0.0-")[2] not in good:
                yield f"an image of nobody's: {name}"


def _versions(image: ImageInfo) -> list[str]:
    return [tag.rpartition(":")[2] for tag in image.tags]


def _open_ends(home: Path, slot: str) -> Iterator[str]:
    """Runs that have no end in the journal, and folders of runs that are over."""
    runs = read_runs(home / "journal.db", slot)
    if unfinished := [run.id for run in runs if run.state in {"running", "half-done"}]:
        yield f"the journal has open ends: {unfinished}"
    if left := [path.name for path in (home / "work").iterdir() if not path.name.startswith(".")]:
        yield f"left in the home: {left}"
    if memory := _left_in_memory():
        yield f"left in memory: {memory}"


def _left_in_memory(seconds: float = 15) -> list[str]:
    """Others may be killed on this machine too, and clean up after themselves."""
    deadline = time.monotonic() + seconds
    while True:
        left = [path for path in Path("/dev/shm").glob(f"dockwright-{os.geteuid()}-*") if _abandoned(path)]
        if not left or time.monotonic() > deadline:
            return [path.name for path in left]
        time.sleep(0.5)


def _abandoned(folder: Path) -> bool:
    """Whether nobody holds it: others may be at work on this machine."""
    held = try_lock(folder.with_name(f".{folder.name}.lock"))
    if held is not None:
        os.close(held)
    return held is not None
