"""Deployments of a real site, cancelled at random times: `python -m tests.service.cancels [TIMES]`.

Whatever the moment: no process that was started for it is left, its slot is free, and one container serves: the old
one or the new one.
"""

from __future__ import annotations

import base64
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from agent.host import ContainerHost, HostAddress
from agent.lock import try_lock
from agent.service import processes
from agent.service.client import AgentClient
from agent.service.protocol import FINAL, DeploymentRequest, DeploymentStatus, StagedPackage
from agent.service.push import Blob, prepare
from agent.service.record import folder_name
from agent.service.sealing import seal
from linux.sandbox import Sandbox, down, up
from linux.sandbox.engine_call import EngineSocket
from tests.conftest import remove_leftovers
from tests.service.conftest import Agent
from tests.system.shop import Site, free_port

NAME = "dockwright-cancels"


def main(times: int) -> None:
    from linux.local import connect

    with tempfile.TemporaryDirectory() as folder:
        sandbox: Sandbox = up(Path(folder) / "sandbox", base_image=f"{NAME}/base:1", say=lambda _: None)
        host = connect(HostAddress(url=sandbox.host))
        site = Site(name=NAME, folder=Path(folder), port=free_port(), sandbox=sandbox, host=host)
        agent = Agent(Path(folder) / "agent")
        try:
            agent.start("--host", sandbox.host)
            began = time.monotonic()
            ends = Cancelling(agent, site).cancels(times, random.Random(7))
        finally:
            agent.close()
            _remove(site, host)
            remove_leftovers(EngineSocket(sandbox.host.removeprefix("unix://")), NAME, sandbox.base_image)
            down(Path(folder) / "sandbox", say=lambda _: None)
    told = ", ".join(f"{count} {end}" for end, count in sorted(ends.items()))
    print(
        f"{times} cancels ({told}): no process left, the slot free, one container serving "
        f"({time.monotonic() - began:.0f} s)"
    )


class Cancelling:
    """Deploys a site through an agent, and cancels it."""

    def __init__(self, agent: Agent, site: Site) -> None:
        self._agent = agent
        self._site = site
        self._client = agent.client(patience=30)
        self._number = 0

    def cancels(self, times: int, chance: random.Random) -> Counter[str]:
        """One deployment to its end, then so many that are cancelled; how they ended."""
        began = time.monotonic()
        first = self._deployed()
        latest = time.monotonic() - began  # a cancel may come at any time of it, also just too late
        assert first.state == "succeeded", first.error
        ends: Counter[str] = Counter()
        for _ in range(times):
            status = self._cancelled(chance.uniform(0, latest))
            ends[f"{status.state} {f'in {status.stage}' if status.stage else 'before it began'}"] += 1
        last = self._deployed()
        assert last.state == "succeeded", last.error
        return ends

    def _deployed(self) -> DeploymentStatus:
        name = self._begin()
        return self._ended(name)

    def _cancelled(self, after: float) -> DeploymentStatus:
        name = self._begin()
        time.sleep(after)
        began = time.monotonic()
        self._client.cancel(name)
        assert time.monotonic() - began < 5, "the answer to a cancel took too long"
        status = self._ended(name)
        assert status.state in {"cancelled", "succeeded"}, (after, status)
        self._nothing_is_left(name)
        return status

    def _nothing_is_left(self, name: str) -> None:
        deadline = time.monotonic() + 5
        while left := processes.marked(folder_name(name)):
            assert time.monotonic() < deadline, [processes.command_line(each) for each in left]
            time.sleep(0.02)
        for path in (self._agent.home / "locks").glob("*.lock"):
            held = try_lock(path)
            assert held is not None, f"{path} is still held"
            os.close(held)
        assert len(self._site.serving()) == 1, self._site.containers()
        assert "Test Deployments-" in self._site.page()

    def _begin(self) -> str:
        self._number += 1
        name = f"Deployments-{self._number}"
        self._client.deploy(name, request(self._client, self._agent, self._site, self._number))
        return name

    def _ended(self, name: str) -> DeploymentStatus:
        deadline = time.monotonic() + 120
        while (status := self._client.status(name)).state not in FINAL:
            assert time.monotonic() < deadline, status
            time.sleep(0.05)
        return status


def request(client: AgentClient, agent: Agent, site: Site, number: int) -> DeploymentRequest:
    """Send what is needed to deploy the site, and say how."""
    import msgspec

    work = agent.folder / f"work-{number}"
    work.mkdir()
    blobs: tuple[Blob, ...] = prepare(site.write(), work)
    for blob in blobs:
        client.upload(blob.path, blob.sha256)
    words = site.arguments("run", number)
    given = [words[place + 1].partition("=") for place, word in enumerate(words) if word == "--set"]
    variables = [{"k": name, "v": value, "s": False} for name, _, value in given]
    sealed = seal(
        msgspec.json.encode(variables), client.capabilities().sealing_key, f"Deployments-{number}", b"tests"
    )
    return DeploymentRequest(
        bundle=blobs[0].sha256,
        packages=[StagedPackage(name=blob.name, sha256=blob.sha256) for blob in blobs[1:]],
        variables=base64.b64encode(sealed).decode(),
        slot=site.slot,
    )


def _remove(site: Site, host: ContainerHost) -> None:
    for container in site.containers():
        host.remove(container.id)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
