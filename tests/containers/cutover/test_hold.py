from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agent.containers.cutover.hold import RelayFront
from agent.containers.cutover.relay_image import relay_warning
from agent.containers.cutover.scene import Scene
from agent.containers.cutover.settings import Hold
from agent.containers.cutover.shape import Shape
from agent.errors import ContainerError, RegistryError
from agent.host import ContainerSpec, Port
from agent.testing import Behaviour, MemoryHost

IMAGE = "registry/python:3"
REFUSAL = ContainerError("the relay does not answer yet")


class Unnoted:
    @contextmanager
    def effect(self, _stage: str, _kind: str, _name: str) -> Iterator[None]:
        yield


def lasting(spec: ContainerSpec) -> Behaviour:
    """A relay; what only tries whether there is a Python ends at once."""
    return Behaviour(exits_with=0) if is_trial(spec) else Behaviour()


def is_trial(spec: ContainerSpec) -> bool:
    return spec.name.endswith("-trial")


def front(host: MemoryHost) -> RelayFront:
    host.add_image(IMAGE)
    shape = Shape(cutover=Hold(image=IMAGE), ports=(Port(container=80, host=8080),))
    return RelayFront(shape, Scene(slot="slot", host=host, journal=Unnoted(), log=lambda _: None))


def test_a_relay_is_waited_for_that_answers_late() -> None:
    host = MemoryHost(behaviour=lasting)
    for _ in range(5):
        host.fail_next("execute", REFUSAL)
    front(host).open()
    assert sum(call.startswith("execute") for call in host.calls) == 6


def test_a_relay_that_has_ended_is_not_waited_for() -> None:
    def ends(spec: ContainerSpec) -> Behaviour:
        return lasting(spec) if is_trial(spec) else Behaviour(exits_with=127)

    host = MemoryHost(behaviour=ends)
    with pytest.raises(ContainerError, match=rf"did not start; does {IMAGE} have python3"):
        front(host).open()
    assert sum(call.startswith("execute") for call in host.calls) == 1


def test_an_image_without_python_is_found_out_before_there_is_a_relay() -> None:
    host = MemoryHost(behaviour=lambda _spec: Behaviour(exits_with=127, output=("no module named asyncio",)))
    with pytest.raises(
        ContainerError, match=r"cannot run the relay .*, which needs python3; .*agent.Dockerfile"
    ) as raised:
        front(host).prepare()
    assert raised.value.output == ("no module named asyncio",)
    assert host.find({}) == []


def test_an_image_that_cannot_be_started_is_told_with_the_engines_reason() -> None:
    host = MemoryHost(behaviour=lasting)
    host.fail_next("start", ContainerError("exec: python3: not found"))
    with pytest.raises(ContainerError, match="which needs python3") as raised:
        front(host).prepare()
    assert raised.value.output == ("exec: python3: not found",)
    assert host.find({}) == []


def test_without_the_default_image_it_is_said_how_to_come_to_one() -> None:
    scene = Scene(slot="slot", host=MemoryHost(), journal=Unnoted(), log=lambda _: None)
    shape = Shape(cutover=Hold(), ports=(Port(container=80, host=8080),))
    with pytest.raises(RegistryError, match=r"no image for the relay .*; name any image with Python .*docker build"):
        RelayFront(shape, scene).check(1)
    assert "docker build -f linux/agent.Dockerfile" in relay_warning(shape, scene.host)
