"""A deployment over SSH whose connection fails at any moment: `python -m tests.system.ssh_faults api|cli [RUNS]`.

Moments are spread evenly over all that passes in an undisturbed run; what happens then takes turns. What has to hold
is in `far.py`.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Literal, get_args

from agent.host import ContainerHost
from linux.sandbox import Sandbox
from tests.ssh.server import CuttingProxy, cutting, recording, serving
from tests.system.far import FAR_STEP, FarSite, far_sandbox, moments, say, summary
from tests.system.shop import Site, free_port

Kind = Literal[
    "cut",  # the piece is lost, and the connection with it
    "cut-after",  # the piece arrives
    "away",  # cut, and nobody answers for some seconds: the machine restarts
    "stall",  # the connection stays, and nothing passes any more
]


def order(proxy: CuttingProxy, kind: Kind, moment: int) -> None:
    """From now on, counting anew, this happens at that piece; at none for 0."""
    proxy.pieces, proxy.cuts, proxy.cut_at = 0, 0, moment
    proxy.after, proxy.stalls = kind == "cut-after", kind == "stall"
    proxy.away = 6 if kind == "away" else 0


def undisturbed(far: FarSite, proxy: CuttingProxy) -> int:
    """How many pieces pass in one deployment."""
    order(proxy, "cut", 0)
    far.deploy()
    return proxy.pieces


def disturbed(far: FarSite, proxy: CuttingProxy, kind: Kind, moment: int) -> str:
    order(proxy, kind, moment)
    return far.disturbed(f"{kind} at {moment}")


@contextmanager
def reached(
    sandbox: Sandbox, host: ContainerHost, folder: Path, name: str, engine: str
) -> Iterator[tuple[FarSite, CuttingProxy]]:
    """A site behind a proxy and an SSH server."""
    for each in ("sshd", "site"):
        (folder / each).mkdir()
    more = recording(folder / "sshd")
    with (
        serving(folder / "sshd", sandbox.host.removeprefix("unix://"), more) as server,
        cutting(server.port) as proxy,
    ):
        at = replace(sandbox, host=server.at(proxy.port).url(engine=engine))
        secret = token_hex(12)
        site = Site(name, folder / "site", free_port(), at, host, step=FAR_STEP, secret=secret)
        left = lambda: [*server.programs(), *(each.name for each in server.home.iterdir())]  # noqa: E731
        far = FarSite(site, left, lambda: server.commands + server.log, (secret,), (server.folder,))
        try:
            yield far, proxy
        finally:
            for container in site.containers():
                host.remove(container.id)


def main() -> int:
    engine, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20
    chance = random.Random(runs)
    wrong: list[str] = []
    with far_sandbox() as place, reached(*place, engine) as (far, proxy):
        undisturbed(far, proxy)
        whole = undisturbed(far, proxy)
        say(f"{whole} pieces in an undisturbed deployment")
        for index, moment in enumerate(moments(whole, runs, chance)):
            try:
                say(disturbed(far, proxy, get_args(Kind)[index % len(get_args(Kind))], moment))
            except AssertionError as error:
                wrong.append(str(error))
                say(f"WRONG: {error}")
                undisturbed(far, proxy)
        return summary(far, wrong)


if __name__ == "__main__":
    sys.exit(main())
