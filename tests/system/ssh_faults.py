"""A deployment over SSH whose connection fails at any piece of it: `python -m tests.system.ssh_faults api|cli all`.

A piece is what one side sends in one go: about as much as one SSH message, or several small ones together. What has
to hold is in `far.py`, how to ask for runs in `far_runs.py`.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Literal

from agent.host import ContainerHost
from linux.sandbox import Sandbox
from tests.ssh.server import CuttingProxy, SSHServer, cutting, recording, serving
from tests.system.far import FAR_STEP, Became, FarSite, far_sandbox, say
from tests.system.far_runs import Fault, go_through, read_wish
from tests.system.shop import Site, free_port

Kind = Literal[
    "cut",  # the piece is lost, and the connection with it
    "cut-after",  # the piece arrives
    "away",  # cut, and nobody answers for some seconds: the machine restarts
    "stall",  # the connection stays, and nothing passes any more
]
Side = Literal["up", "down"]

AWAY_SECONDS = 4


def order(proxy: CuttingProxy, kind: Kind, moment: int, *sides: Side) -> None:
    """From now on, counting anew, this happens at that piece; at none for 0. No sides are both."""
    proxy.counts = sides or ("up", "down")
    proxy.pieces, proxy.cuts, proxy.cut_at = 0, 0, moment
    proxy.after, proxy.stalls = kind == "cut-after", kind == "stall"
    proxy.away, proxy.away_until = AWAY_SECONDS if kind == "away" else 0, 0


def undisturbed(far: FarSite, proxy: CuttingProxy, *sides: Side) -> int:
    """How many pieces pass in one deployment."""
    order(proxy, "cut", 0, *sides)
    far.deploy()
    return proxy.pieces


def disturbed(far: FarSite, proxy: CuttingProxy, kind: Kind, moment: int) -> Became:
    order(proxy, kind, moment)
    return far.disturbed(f"{kind} at {moment}")


def faults(proxy: CuttingProxy, up: int, down: int) -> list[Fault]:
    """Each piece is lost once. Those from the client also arrive once, so that what they ask for is under way while
    the connection is made anew; after those from the server nothing is under way, and the client's next one is as
    well as lost. What takes its time happens at every tenth and every fiftieth piece.
    """
    kinds: list[tuple[Kind, Side, range]] = [
        ("cut-after", "up", range(1, up + 1)),
        ("cut", "down", range(1, down + 1)),
        ("stall", "up", range(4, up + 1, 50)),
        ("stall", "down", range(29, down + 1, 50)),
        ("away", "up", range(2, up + 1, 10)),
        ("cut", "up", range(1, up + 1)),
    ]
    return [
        Fault(kind=kind, place=f"{side} {moment}", order=partial(order, proxy, kind, moment, side))
        for kind, side, moments in kinds
        for moment in moments
    ]


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
        far = FarSite(
            site,
            lambda: left(server),
            lambda: clear(server),
            lambda: server.commands + server.log,
            (secret,),
            (server.folder,),
        )
        try:
            yield far, proxy
        finally:
            for container in site.containers():
                host.remove(container.id)


def left(server: SSHServer) -> list[str]:
    """What runs there, and logins."""
    return [*server.programs(), *(each.name for each in server.home.iterdir())]


def clear(server: SSHServer) -> None:
    for folder in server.home.iterdir():
        shutil.rmtree(folder)


def main() -> int:
    wish = read_wish("ssh")
    with far_sandbox() as place, reached(*place, wish.engine) as (far, proxy):
        far.go(wish.way)
        undisturbed(far, proxy)  # the first one has more to do
        up, down = undisturbed(far, proxy, "up"), undisturbed(far, proxy, "down")
        say(f"an undisturbed deployment has {up} pieces from the client and {down} from the server")
        return go_through(wish, far, faults(proxy, up, down), lambda: proxy.cuts > 0)


if __name__ == "__main__":
    sys.exit(main())
