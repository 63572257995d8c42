"""After a failure everything is put back, also by an engine that is about to start anew."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from agent.containers.cutover import Scene, Strategy
from agent.errors import DockwrightError, HalfDoneError, HostError
from agent.host import ContainerInfo

_ENGINE_SECONDS = 30.0
"""As long as an engine may take to start anew. What takes longer is left to the guard."""

_BETWEEN_SECONDS = 0.5


def put_right(
    strategy: Strategy,
    new: Sequence[ContainerInfo],
    old: Sequence[ContainerInfo],
    kept: Collection[str],
    failure: BaseException,
    scene: Scene,
) -> None:
    """Let `old` serve again; HalfDoneError, with the failure that led here, if that cannot be done."""
    deadline = time.monotonic() + _ENGINE_SECONDS
    tried = False
    while True:
        try:
            strategy.undo(new, old, kept)
        except DockwrightError as undoing:
            if not isinstance(undoing, HostError) or (not _was_away(scene, deadline) and tried):
                raise HalfDoneError(failure, undoing) from failure
            tried = True
        else:
            return


def _was_away(scene: Scene, deadline: float) -> bool:
    """Whether the engine did not answer, and does again. Nobody may be serving meanwhile, so it is waited for."""
    away = False
    while time.monotonic() < deadline:
        try:
            scene.host.platform()
        except HostError:
            if not away:
                scene.log("warning: the engine does not answer; what ran before is put back as soon as it does")
            away = True
            time.sleep(_BETWEEN_SECONDS)
        else:
            return away
    return False
