from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agent.containers.cutover.hold import RelayFront
from agent.containers.cutover.scene import Scene
from agent.containers.cutover.settings import Hold
from agent.containers.cutover.shape import Shape
from agent.errors import ContainerError
from agent.host import ContainerSpec, Port
from agent.testing import Behaviour, MemoryHost

IMAGE = "registry/python:3"
REFUSAL = ContainerError("the relay does not answer yet")


class Unnoted:
    @contextmanager
    def effect(self, _stage: str, _kind: str, _name: str) -> Iterator[None]:
        yield


def front(host: MemoryHost) -> RelayFront:
    host.add_image(IMAGE)
    shape = Shape(cutover=Hold(image=IMAGE), ports=(Port(container=80, host=8080),))
    return RelayFront(shape, Scene(slot="slot", host=host, journal=Unnoted(), log=lambda _: None))


def test_a_relay_is_waited_for_that_answers_late() -> None:
    host = MemoryHost()
    for _ in range(5):
        host.fail_next("execute", REFUSAL)
    front(host).open()
    assert sum(call.startswith("execute") for call in host.calls) == 6


def test_a_relay_that_has_ended_is_not_waited_for() -> None:
    def ends(_spec: ContainerSpec) -> Behaviour:
        return Behaviour(exits_with=127)

    host = MemoryHost(behaviour=ends)
    with pytest.raises(ContainerError, match=rf"did not start; does {IMAGE} have python3"):
        front(host).open()
    assert sum(call.startswith("execute") for call in host.calls) == 1
