"""A deployment over WinRM in which any request goes wrong: `python -m tests.system.winrm_faults api|cli [RUNS]`.

The requests are spread evenly over all of an undisturbed run, the ways of going wrong take turns. What has to hold is
in `far.py`.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

from agent.host import ContainerHost
from linux.sandbox import Sandbox
from linux.sandbox.install import program
from tests.system.far import FAR_STEP, FarSite, far_sandbox, moments, say, summary
from tests.system.shop import Site, free_port
from tests.winrm import soap
from tests.winrm.server import WinRMServer, prepared, serving
from tests.winrm.settings import Mishap, Settings

MISHAPS = (
    *(Mishap(kind=kind) for kind in ("drop", "lose", "truncate", "reset", "error", "unauthorized", "stale", "slow")),
    Mishap(kind="too-large"),
    Mishap(kind="delay", seconds=3),
    Mishap(kind="hang", seconds=40),
    Mishap(kind="reboot", seconds=0.5),
    Mishap(kind="reboot", seconds=8),
    Mishap(kind="closed", code=soap.BROKEN_PIPE),
    *(Mishap(kind="gone", code=code) for code in (soap.NO_SUCH_SHELL, soap.ABORTED)),
    *(
        Mishap(kind="fault", code=code)
        for code in (
            soap.BUSY,
            soap.INTERNAL,
            soap.CONCURRENCY,
            soap.TOO_MANY_SHELLS,
            soap.TOO_MANY_OPERATIONS,
            soap.LINE_TOO_LONG,
            soap.ACCESS_DENIED,
        )
    ),
)


def disturbed(far: FarSite, server: WinRMServer, mishap: Mishap, nth: int) -> str:
    """The mishap befalls the n-th request; what became of it."""
    server.order(replace(mishap, nth=nth))
    before = len(server.asked)
    told = far.disturbed(f"{mishap.kind} {mishap.code or ''} at {nth}")
    actions = server.asked[before:]
    return f"{actions[nth - 1] if nth <= len(actions) else 'none'}: {told}"


def undisturbed(far: FarSite, server: WinRMServer) -> int:
    """How many requests a deployment has."""
    server.order()
    before = len(server.asked)
    far.deploy()
    return len(server.asked) - before


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


def main() -> int:
    engine, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 24
    chance = random.Random(runs)
    wrong: list[str] = []
    with far_sandbox() as place, reached(*place, engine) as (far, server):
        undisturbed(far, server)
        whole = undisturbed(far, server)
        say(f"{whole} requests in an undisturbed deployment")
        for index, nth in enumerate(moments(whole, runs, chance)):
            try:
                say(disturbed(far, server, MISHAPS[index % len(MISHAPS)], nth))
            except AssertionError as error:
                wrong.append(str(error))
                say(f"WRONG: {error}")
                undisturbed(far, server)
        return summary(far, wrong)


if __name__ == "__main__":
    sys.exit(main())
