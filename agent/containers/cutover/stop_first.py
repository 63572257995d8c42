"""Old out, new in: for `recreate`, with the outage that this means, and for `hold`, where requests wait meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agent.containers.cutover.front import Front
from agent.containers.cutover.scene import (
    Scene,
    UnhealthyError,
    discard,
    is_good,
    judge,
    put_back,
    require_free,
    start,
    stop,
)
from agent.containers.cutover.shape import shape_of
from agent.containers.labels import SLOT
from agent.host import ContainerInfo


@dataclass(frozen=True, kw_only=True)
class StopFirst:
    """`before` is the front that the old container stands behind; the same as `front` unless the settings changed."""

    front: Front
    before: Front
    scene: Scene

    def check(self) -> None:
        self.front.check(1)

    def prepare(self, new: ContainerInfo) -> float:
        """It was created, and may not run yet. A port that a stranger has need cost nobody the old one."""
        ports = (*self.scene.wanted_ports, *shape_of(new.labels).ports)
        require_free(ports, self.scene.host, lambda holder: holder.labels.get(SLOT) == self.scene.slot)
        self.front.prepare()
        return 0

    def switch(
        self,
        new: Sequence[ContainerInfo],
        staying: Sequence[ContainerInfo],  # noqa: ARG002  nobody: there is one at a time
        going: Sequence[ContainerInfo],
    ) -> float:
        self.before.hold()
        for container in going:
            stop(container, self.scene)
        if self.before is not self.front:
            self.before.leave()
        self.front.open()
        start(new[-1], self.scene)
        try:
            boot_seconds = judge(new[-1], self.scene)
        except UnhealthyError:
            if self.scene.on_failure == "off":
                self._route(new)
            raise
        self._route(new)
        return boot_seconds

    def drain(self, old: ContainerInfo) -> None:
        """Holding has drained it."""

    def retire(self, old: ContainerInfo) -> None:
        """It was stopped before the new one started."""

    def is_good(self, new: ContainerInfo) -> bool:
        return is_good(new, self.scene)

    def finish(self, new: Sequence[ContainerInfo], old: Sequence[ContainerInfo]) -> None:
        for container in old:
            stop(container, self.scene)
        if self.before is not self.front:
            self.before.leave()
        self._route(new)

    def undo(self, new: Sequence[ContainerInfo], old: Sequence[ContainerInfo], kept: Collection[str]) -> None:
        for container in new:
            discard(container, self.scene, kept=container.id in kept)
        if self.before is not self.front or not old:
            self.front.leave()
        self.before.route(put_back(list(old), self.scene, awaited=bool(old) and _behind_front(old[0])))

    def _route(self, new: Sequence[ContainerInfo]) -> None:
        self.front.route([self.scene.host.inspect(container.id) or container for container in new])


def _behind_front(container: ContainerInfo) -> bool:
    """Somebody waits there for it to be good."""
    return shape_of(container.labels).port > 0
