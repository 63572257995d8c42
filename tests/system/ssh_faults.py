"""A deployment over SSH whose connection is cut at any moment: `python -m tests.system.ssh_faults api|cli [RUNS]`.

Each run ends in success, or in a failure that is clear, with the old container serving; in time, and with nothing
left over. Moments are spread evenly over all that passes in an undisturbed run.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from agent.host import ContainerHost, HostAddress
from linux.local import connect
from linux.sandbox import Sandbox, down, up
from linux.sandbox.engine_call import EngineSocket
from tests.conftest import remove_leftovers
from tests.ssh.server import CuttingProxy, SSHServer, cutting, serving
from tests.system.shop import SECRET, Site, free_port

LONGEST_SECONDS = 150
CLEAR = {0, 7, 8, 9, 10}


@dataclass
class Trial:
    """A site that is deployed through `proxy`, again and again."""

    site: Site
    proxy: CuttingProxy
    server: SSHServer
    number: int = 0

    def undisturbed(self) -> int:
        """How many pieces pass in one deployment."""
        self.proxy.pieces = self.proxy.cut_at = 0
        self.number += 1
        done = self.site.run(self.number)
        assert done.code == 0, done.stderr
        return self.proxy.pieces

    def cut(self, moment: int) -> str:
        """One deployment, and what became of it. AssertionError if that is not as it should be."""
        before = self.site.page()
        self.proxy.pieces, self.proxy.cut_at, self.proxy.cuts = 0, moment, 0
        self.number += 1
        began = time.monotonic()
        done = self.site.run(self.number)
        seconds = time.monotonic() - began
        self.proxy.cut_at = 0
        now, serving = self.site.page(), self.site.serving()
        told = f"cut {self.proxy.cuts}x at {moment}: exit {done.code} after {seconds:.1f} s; {now.strip()}; "
        told += str(done.document.get("error") or "")
        assert done.code in CLEAR, told + done.stderr
        assert seconds < LONGEST_SECONDS, told
        assert len(serving) == 1, (told, serving)
        new = f"<h1>Test Deployments-{self.number}</h1>\n"
        assert now == (new if done.code == 0 else before), told
        stranded = [one.name for one in self.site.containers() if one.state == "created"]
        assert not stranded, (told, stranded)
        assert SECRET not in self.server.log
        return told


@contextmanager
def trial(sandbox: Sandbox, host: ContainerHost, folder: Path, name: str, engine: str) -> Iterator[Trial]:
    for each in ("sshd", "site"):
        (folder / each).mkdir()
    with (
        serving(folder / "sshd", sandbox.host.removeprefix("unix://")) as server,
        cutting(server.port) as proxy,
    ):
        far = replace(sandbox, host=server.at(proxy.port).url(engine=engine))
        site = Site(name=name, folder=folder / "site", port=free_port(), sandbox=far, host=host)
        try:
            yield Trial(site, proxy, server)
        finally:
            for container in site.containers():
                host.remove(container.id)


def main() -> None:
    engine, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20
    prefix = f"dockwright-test-{uuid4().hex[:10]}"
    with tempfile.TemporaryDirectory() as name:
        state = Path(name) / "state"
        sandbox = up(state, base_image=f"{prefix}/base:1", say=say)
        host = connect(HostAddress(url=sandbox.host))
        try:
            with trial(sandbox, host, Path(name), f"{prefix}-shop", engine) as tried:
                tried.undisturbed()
                whole = tried.undisturbed()
                say(f"{whole} pieces in an undisturbed deployment")
                chance = random.Random(runs)
                for index in range(runs):
                    say(tried.cut(int((index + chance.random()) * whole / runs) + 1))
        finally:
            host.close()
            remove_leftovers(EngineSocket(sandbox.host.removeprefix("unix://")), prefix, sandbox.base_image)
            down(state, say=say)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
