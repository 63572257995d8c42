"""What MemoryHost can do beyond the contract: be scripted, fail on demand, and tell what it was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import BuildError, ContainerError, RegistryError
from agent.host import BuildRequest, ContainerHost, ContainerSpec, Credentials
from agent.testing import Behaviour, Login, MemoryHost


@pytest.fixture
def host() -> MemoryHost:
    host = MemoryHost()
    host.add_image("app:1", labels={"release": "1"})
    return host


def nothing(_done: int, _total: int) -> None:
    pass


def test_it_is_a_container_host(host: MemoryHost) -> None:
    checked: ContainerHost = host
    assert checked.url == "memory://"


def test_next_call_fails_as_told_and_without_effect(host: MemoryHost) -> None:
    host.create(ContainerSpec(name="web", image="app:1"))
    host.fail_next("start", ContainerError("the disk is on fire"))
    with pytest.raises(ContainerError, match="on fire"):
        host.start("web")
    assert host.inspect("web").state == "created"  # type: ignore[union-attr]
    host.start("web")
    assert host.inspect("web").running  # type: ignore[union-attr]


def test_health_follows_its_script(host: MemoryHost) -> None:
    host.behaviour = lambda _spec: Behaviour(health=("starting", "starting", "healthy"), health_output="200")
    host.create(ContainerSpec(name="web", image="app:1"))
    host.start("web")
    seen = [host.inspect("web") for _ in range(4)]
    assert [info.health for info in seen if info] == ["starting", "starting", "healthy", "healthy"]


def test_behaviour_may_depend_on_the_container(host: MemoryHost) -> None:
    host.behaviour = lambda spec: Behaviour(exits_with=1) if spec.name == "bad" else Behaviour()
    for name in ("good", "bad"):
        host.create(ContainerSpec(name=name, image="app:1", restart="no"))
        host.start(name)
    assert [info.state for info in map(host.inspect, ("good", "bad")) if info] == ["running", "exited"]


def test_registry_may_want_credentials(host: MemoryHost) -> None:
    jane = Credentials(username="jane", password="s3cret")
    host.required_credentials["r.io"] = jane
    host.add_remote_image("r.io/app:2")
    with pytest.raises(RegistryError, match="other credentials"):
        host.pull("r.io/app:2", None, nothing)
    assert host.pull("r.io/app:2", jane, nothing).tags == ("r.io/app:2",)
    assert host.logins == [
        Login(operation="pull", reference="r.io/app:2", username=""),
        Login(operation="pull", reference="r.io/app:2", username="jane"),
    ]


def test_builds_are_remembered_and_their_bases_looked_for(host: MemoryHost, tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(
        "ARG V\nFROM app:1 AS build\nFROM build\nFROM other:$V\nHEALTHCHECK CMD x\n", encoding="utf-8"
    )
    request = BuildRequest(context=tmp_path, tags=("r.io/app:2",))
    assert host.build(request, lambda _line: None).has_healthcheck
    assert host.builds == [request]
    dockerfile.write_text("FROM app:2\n", encoding="utf-8")
    with pytest.raises(BuildError, match=r"^Dockerfile:1: FROM app:2: there is no image app:2$"):
        host.build(request, lambda _line: None)


def test_calls_are_remembered_in_order(host: MemoryHost) -> None:
    host.create(ContainerSpec(name="web", image="app:1"))
    host.start("web")
    host.stop("web", 1)
    assert host.calls == ["create web", "start web", "stop web"]


def test_image_that_a_container_uses_is_not_removed(host: MemoryHost) -> None:
    host.create(ContainerSpec(name="web", image="app:1"))
    with pytest.raises(ContainerError, match="a container uses it"):
        host.remove_image("app:1")
    host.remove("web")
    host.remove_image("app:1")
    assert host.images({"release": "1"}) == []


def test_spellings_of_one_reference_are_one(host: MemoryHost) -> None:
    host.add_image("docker.io/library/nginx:latest")
    assert host.image("nginx") == host.image("index.docker.io/library/nginx:latest") is not None
