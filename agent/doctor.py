"""`dockwright doctor`: is everything there that a deployment needs, and if not, what to do."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.errors import DockwrightError
from agent.plugins import connect

LOW_DISK_BYTES = 2_000_000_000
EARLIEST_CLOCK = datetime(2026, 1, 1, tzinfo=UTC)
CLOCK_SKEW_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at. `advice` says what to do where it is not good."""

    what: str
    good: bool
    found: str
    advice: str = ""


def examine(host: str, home: Path, registry: str) -> list[Finding]:
    """Look at the engine, the registry (if one is given), the disk, the clock and the home."""
    findings = [_engine(host), *_registry(registry), _home(home), _disk(home), _clock(registry)]
    return findings


def _engine(url: str) -> Finding:
    try:
        with closing(connect(url)) as host:
            platform = host.platform()
    except DockwrightError as error:
        return Finding(what="engine", good=False, found=str(error), advice="start Docker, or give another --host")
    return Finding(what="engine", good=True, found=f"{url}: {platform}, version {platform.engine_version}")
