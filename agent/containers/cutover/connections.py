"""How much is under way to a container, seen from inside it, whoever leads requests there."""

from __future__ import annotations

import time

from agent.containers.cutover.scene import Scene
from agent.errors import DockwrightError
from agent.host import ContainerInfo

_ESTABLISHED, _HALF_CLOSED = "01", "08"
_LOOK_SECONDS = 5.0
_QUIET_LOOKS = 3


def await_quiet(container: ContainerInfo, port: int, seconds: float, scene: Scene) -> None:
    """Wait until no connection to the port is open, a few looks in a row, or the seconds are over.

    Where it cannot be seen (an image without `cat`, Windows), all of the seconds are waited.
    """
    deadline = time.monotonic() + seconds
    quiet = 0
    while quiet < _QUIET_LOOKS and (left := deadline - time.monotonic()) > 0:
        open_now = _open_connections(container, port, scene)
        if open_now is None:
            time.sleep(left)
            return
        quiet = quiet + 1 if open_now == 0 else 0
        time.sleep(min(left, 0.1))
    if quiet < _QUIET_LOOKS:
        scene.log(f"warning: {container.name} had requests under way after {seconds:g} s; it is stopped")


def _open_connections(container: ContainerInfo, port: int, scene: Scene) -> int | None:
    lines: list[str] = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            code = scene.host.execute(container.id, ["cat", table], lines.append, _LOOK_SECONDS)
        except DockwrightError:
            return None
        if code and table == "/proc/net/tcp":
            return None
    wanted = f":{port:04X}"
    rows = [line.split() for line in lines]
    return sum(
        1 for row in rows if len(row) > 3 and row[1].endswith(wanted) and row[3] in {_ESTABLISHED, _HALF_CLOSED}
    )
