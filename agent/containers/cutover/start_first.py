"""New in, old out: both run for a while, and a proxy leads from one to the other. Nobody waits, nothing is lost."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agent.containers.cutover.front import Front
from agent.containers.cutover.scene import Scene, UnhealthyError, discard, is_good, judge, put_back, start, stop
from agent.host import ContainerInfo


@dataclass(frozen=True, kw_only=True)
class StartFirst:
    """`before` is the front that the old containers stand behind; the same as `front` unless the settings changed."""

    front: Front
    before: Front
    scene: Scene
    replicas: int

    def check(self) -> None:
        self.front.check(self.replicas)

    def prepare(self, new: ContainerInfo) -> float:
        start(new, self.scene)
        try:
            return judge(new, self.scene)
        except UnhealthyError:
            if self.scene.on_failure == "off":
                discard(new, self.scene, kept=True)
            raise

    def switch(
        self,
        new: Sequence[ContainerInfo],
        staying: Sequence[ContainerInfo],
        going: Sequence[ContainerInfo],  # noqa: ARG002  they go on until they are drained
    ) -> float:
        beside = staying if self.before is self.front else ()
        self.front.route(self._now([*new, *beside]))
        return 0

    def drain(self, old: ContainerInfo) -> None:
        self.before.drain(old)

    def retire(self, old: ContainerInfo) -> None:
        stop(old, self.scene)

    def is_good(self, new: ContainerInfo) -> bool:
        return is_good(new, self.scene)

    def finish(self, new: Sequence[ContainerInfo], old: Sequence[ContainerInfo]) -> None:
        self.front.route(self._now(new))
        for container in old:
            self.drain(container)
            self.retire(container)
        if self.before is not self.front:
            self.before.leave()

    def undo(self, new: Sequence[ContainerInfo], old: Sequence[ContainerInfo], kept: Collection[str]) -> None:
        back = put_back(list(old), self.scene, awaited=True)
        self.before.route(back)
        if self.before is not self.front:
            self.front.leave()
        for container in new:
            self.front.drain(container)
            discard(container, self.scene, kept=container.id in kept)

    def _now(self, containers: Sequence[ContainerInfo]) -> list[ContainerInfo]:
        """With their addresses, which they have only while they run."""
        return [self.scene.host.inspect(container.id) or container for container in containers]
