"""`dockwright install` and `uninstall`: this very agent, put on another machine."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from importlib.metadata import Distribution, distribution, entry_points
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from agent.errors import HostError, InputError
from agent.host import HostAddress

INSTALLERS = "dockwright.installers"
_BUILD = "import sys, hatchling.build as build; print(build.build_wheel(sys.argv[1]))"

Log = Callable[[str], None]


class Installer(Protocol):
    """What `linux/` and `windows/` register for a kind of host."""

    def install(self, address: HostAddress, wheel: Path, log: Log) -> str:
        """Put the agent there and start it; its thumbprint and certificate, and how it comes to trust a peer."""
        ...

    def uninstall(self, address: HostAddress, log: Log, *, purge: bool) -> None: ...


def install(address: HostAddress, log: Log) -> str:
    """Put this agent on the host. HostError if it cannot be; what was there before goes on then."""
    installer = _installer(address)
    with tempfile.TemporaryDirectory(prefix="dockwright-wheel-") as folder:
        return installer.install(address, own_wheel(Path(folder)), log)


def uninstall(address: HostAddress, log: Log, *, purge: bool) -> None:
    """Take the agent away from the host; its home stays unless `purge`."""
    _installer(address).uninstall(address, log, purge=purge)


def own_wheel(into: Path) -> Path:
    """The agent that runs here, as a wheel: built from its sources, or put together again from what is installed."""
    ours = distribution("dockwright")
    source = _editable_source(ours)
    return _built(source, into) if source else _repacked(ours, into)


def _installer(address: HostAddress) -> Installer:
    scheme = address.url.partition("://")[0]
    points = entry_points(group=INSTALLERS)
    point = next((each for each in points if each.name == scheme), None)
    if point is None:
        known = ", ".join(f"{name}://" for name in sorted(points.names))
        raise InputError(f"an agent cannot be installed at '{address.url}'; give --host with one of {known}")
    found: Installer = point.load()
    return found


def _editable_source(ours: Distribution) -> Path | None:
    origin = json.loads(ours.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlsplit(origin["url"]).path))


def _built(source: Path, into: Path) -> Path:
    made = subprocess.run(
        [sys.executable, "-c", _BUILD, str(into)], cwd=source, capture_output=True, text=True, check=False
    )
    if made.returncode:
        last = (made.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise HostError(f"the agent cannot be packed from {source}: {last}; is hatchling installed?")
    return into / made.stdout.strip().splitlines()[-1]


def _repacked(ours: Distribution, into: Path) -> Path:
    wheel = into / f"dockwright-{ours.version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in ours.files or ():
            path = Path(str(file.locate()))
            if ".." not in file.parts and path.is_file() and path.suffix != ".pyc":
                packed.write(path, str(file))
    return wheel
