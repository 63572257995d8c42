"""A deployment over WinRM in which any request goes wrong: `python -m tests.system.winrm_faults api|cli all`.

What has to hold is in `far.py`, how to ask for runs in `far_runs.py`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from secrets import token_hex

from agent.host import ContainerHost
from linux.sandbox import Sandbox
from linux.sandbox.install import program
from tests.system.far import FAR_STEP, Became, FarSite, far_sandbox, say
from tests.system.far_runs import Fault, go_through, read_wish
from tests.system.shop import Site, free_port
from tests.winrm import soap
from tests.winrm.server import WinRMServer, prepared, serving
from tests.winrm.settings import Mishap, Settings

DIFFERENT = (
    Mishap(kind="lose"),
    Mishap(kind="drop"),
    Mishap(kind="gone", code=soap.ABORTED),
    Mishap(kind="stale"),
    Mishap(kind="fault", code=soap.ACCESS_DENIED),
)
"""Done but not told; not done and not told; the shell is gone; surely not done; refused. At every request."""

_SLOW = Mishap(kind="slow")
_TOO_LARGE = Mishap(kind="too-large")
_REBOOT = Mishap(kind="reboot", seconds=0.5)

OF_ACTIONS = {
    "Create": (_SLOW, _TOO_LARGE, _REBOOT, Mishap(kind="fault", code=soap.TOO_MANY_SHELLS)),
    "Command": (_SLOW, _TOO_LARGE, _REBOOT, Mishap(kind="fault", code=soap.TOO_MANY_OPERATIONS)),
    "Send": (
        _SLOW,
        _TOO_LARGE,
        _REBOOT,
        Mishap(kind="closed", code=soap.BROKEN_PIPE),
        Mishap(kind="fault", code=soap.BUSY),
    ),
    "Receive": (_REBOOT, Mishap(kind="fault", code=soap.CONCURRENCY)),
    "Signal": (_SLOW,),
    "Delete": (_SLOW,),
}
"""At every request of these too, where the client makes a difference between it and the others.

A Receive is never slow: output that was taken, and told as not there yet, is what no machine does.
"""

OF_EACH_TYPE = (
    *(Mishap(kind=kind) for kind in ("truncate", "reset", "error", "unauthorized")),
    _TOO_LARGE,
    _REBOOT,
    Mishap(kind="gone", code=soap.NO_SUCH_SHELL),
    *(Mishap(kind="fault", code=code) for code in (soap.BUSY, soap.INTERNAL, soap.LINE_TOO_LONG)),
    Mishap(kind="delay", seconds=3),
    Mishap(kind="reboot", seconds=8),
    Mishap(kind="hang", seconds=40),
)
"""These the client takes for one of the others, or they take their time: at the first, a middle and the last request
of each action.
"""


def faults(server: WinRMServer, asked: Sequence[str]) -> list[Fault]:
    """All for a deployment with these requests, in rounds: in the first ones something befalls each of them."""
    rounds: dict[int, list[Fault]] = defaultdict(list)
    for action, whole in Counter(asked).items():
        everywhere = (*DIFFERENT, *OF_ACTIONS.get(action, ()))
        for nth in range(1, whole + 1):
            at_spots = OF_EACH_TYPE if nth in (1, whole // 2 + 1, whole) else ()
            turned = everywhere[nth % len(everywhere) :] + everywhere[: nth % len(everywhere)]
            for number, mishap in enumerate(dict.fromkeys((*turned, *at_spots))):
                rounds[number].append(_fault(server, replace(mishap, action=action, nth=nth)))
    return [fault for number in sorted(rounds) for fault in rounds[number]]


def _fault(server: WinRMServer, mishap: Mishap) -> Fault:
    kind = " ".join(str(part) for part in (mishap.kind, mishap.code, mishap.seconds) if part)
    return Fault(kind=kind, place=f"{mishap.action} {mishap.nth}", order=partial(server.order, mishap))


def disturbed(far: FarSite, server: WinRMServer, mishap: Mishap, nth: int) -> Became:
    """The mishap befalls the n-th request; what became of it."""
    server.order(replace(mishap, nth=nth))
    return far.disturbed(f"{mishap.kind} {mishap.code or ''} at {nth}")


def undisturbed(far: FarSite, server: WinRMServer) -> list[str]:
    """The requests of a deployment."""
    server.order()
    before = len(server.asked)
    far.deploy()
    return server.asked[before:]


@contextmanager
def reached(
    sandbox: Sandbox, host: ContainerHost, folder: Path, name: str, engine: str
) -> Iterator[tuple[FarSite, WinRMServer]]:
    """A site behind a WinRM server. DOCKWRIGHT_HOST_PASSWORD is set while it lasts."""
    settings = Settings(
        root=prepared(folder / "machine"),
        password=token_hex(12),
        programs={"docker": program("docker") or "docker"},
        environment={"DOCKER_HOST": sandbox.host},
    )
    os.environ["DOCKWRIGHT_HOST_PASSWORD"] = settings.password
    (folder / "site").mkdir()
    with serving(settings) as server:
        at = replace(sandbox, host=f"{server.url}&engine={engine}")
        secret = token_hex(12)
        site = Site(name, folder / "site", free_port(), at, host, step=FAR_STEP, secret=secret)
        far = FarSite(
            site,
            lambda: left(server),
            lambda: clear(server),
            lambda: "\n".join(server.machine.lines),
            (secret, settings.password),
            (settings.root,),
        )
        try:
            yield far, server
        finally:
            os.environ.pop("DOCKWRIGHT_HOST_PASSWORD")
            for container in site.containers():
                host.remove(container.id)


def left(server: WinRMServer) -> list[str]:
    """What runs there, shells, and folders of logins."""
    folders = [path.name for path in server.settings.root.rglob(".dockwright-*")]
    return [*(f"process {one.pid}" for one in server.machine.running()), *server.machine.shells, *folders]


def clear(server: WinRMServer) -> None:
    server.order()
    server.machine.end_all()
    for folder in server.settings.root.rglob(".dockwright-*"):
        shutil.rmtree(folder)


def main() -> int:
    wish = read_wish("winrm")
    with far_sandbox() as place, reached(*place, wish.engine) as (far, server):
        far.go(wish.way)
        undisturbed(far, server)  # the first one has more to do
        asked = undisturbed(far, server)
        say(f"an undisturbed deployment has {len(asked)} requests: {dict(Counter(asked))}")
        return go_through(wish, far, faults(server, asked), lambda: server.happened > 0)


if __name__ == "__main__":
    sys.exit(main())
