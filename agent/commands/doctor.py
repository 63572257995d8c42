"""`dockwright doctor`: is everything there that a deployment needs, and if not, what to do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.containers import RELAY_IMAGE, relay_advice
from agent.engine.compatibility import isolation_lines
from agent.engine.way import Reached
from agent.errors import DockwrightError
from agent.host import ContainerHost, HostAddress
from agent.plugins import connect
from agent.registry import RegistryClient, find_credentials
from agent.workspace import work_folder

LOW_DISK_BYTES = 2_000_000_000
PROBE_REPOSITORY = "dockwright-doctor"
OLDEST_SANE_YEAR = 2026


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at. `advice` says what to do where it is not good."""

    what: str
    good: bool
    found: str
    advice: str = ""


def examine(host: HostAddress, home: Path, registry: str) -> list[Finding]:
    """Look at the engine, the home, the disk, the clock, and the registry if one is named."""
    return [*_engine(host), _home(home), _disk(home), _clock(), *(_registry(registry) if registry else ())]


def _engine(address: HostAddress) -> Iterator[Finding]:
    try:
        with closing(connect(address)) as host:
            platform = host.platform()
            found = f"{host.url}: {platform} containers, engine {platform.engine_version}"
            if platform.os == "windows":
                found = "; ".join((found, *isolation_lines(platform)))
            way = host.way if isinstance(host, Reached) else None
            relay = _relay(host)
    except DockwrightError as error:
        yield Finding(what="engine", good=False, found=str(error))  # which says what to do
        return
    yield Finding(what="engine", good=True, found=found)
    if way is not None:
        advice = (
            "" if way.encrypted else "others can read the traffic, secrets too: use https, or a login that encrypts"
        )
        yield Finding(what="connection", good=way.encrypted, found=way.text, advice=advice)
    yield relay


def _relay(host: ContainerHost) -> Finding:
    """Only `cutover: hold` needs it, so its absence is no fault."""
    if host.image(RELAY_IMAGE) is not None:
        found = f"{RELAY_IMAGE} is there"
    else:
        found = f"{RELAY_IMAGE} is not there; for cutover: hold, {relay_advice(host)}"
    return Finding(what="relay", good=True, found=found)


def _home(home: Path) -> Finding:
    try:
        with work_folder(home) as work:
            (work.path / "probe").write_bytes(b"x")
    except DockwrightError as error:
        return Finding(what="home", good=False, found=str(error), advice="choose another with --home")
    return Finding(what="home", good=True, found=f"{home} is writable")


def _disk(home: Path) -> Finding:
    folder = next(parent for parent in (home, *home.parents) if _is_there(parent))
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free at {folder}"
    if free < LOW_DISK_BYTES:
        return Finding(what="disk", good=False, found=found, advice="free some space: images and packages need it")
    return Finding(what="disk", good=True, found=found)


def _is_there(folder: Path) -> bool:
    try:
        return folder.exists()
    except OSError:  # one that this user may not look into
        return False


def _clock() -> Finding:
    now = datetime.now(UTC)
    found = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if now.year < OLDEST_SANE_YEAR:
        return Finding(what="clock", good=False, found=found, advice="set the clock: certificates will be refused")
    return Finding(what="clock", good=True, found=found)


def _registry(registry: str) -> Iterator[Finding]:
    try:
        with RegistryClient(registry, find_credentials(registry)) as client:
            client.ping()
            yield Finding(what="registry", good=True, found=f"{registry} answers")
            writable = client.can_write(PROBE_REPOSITORY)
    except DockwrightError as error:
        yield Finding(
            what="registry", good=False, found=str(error), advice="see its address, that it runs, and docker login"
        )
        return
    found = f"{registry} {'takes' if writable else 'refuses'} uploads"
    advice = "" if writable else f"log in with a user who may push: docker login {registry}"
    yield Finding(what="registry", good=writable, found=found, advice=advice)
