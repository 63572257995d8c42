from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from agent.containers import SLOT, HealthSettings, Replacement, RunSettings, replace, serving
from agent.errors import ContainerError, HalfDoneError, HostError
from agent.host import ContainerSpec, Port
from agent.journal import Journal, NewRun, RunEntry
from agent.testing import Behaviour, MemoryHost

SLOT_NAME = "shop/test/untenanted/web"
IMAGE = "registry/shop:1"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.db")
    yield journal
    journal.close()


@pytest.fixture
def entry(journal: Journal) -> RunEntry:
    values = dict.fromkeys(("release", "project", "environment", "tenant", "step", "host"), "")
    return journal.begin(NewRun(id="Deployments-1", kind="deployment", slot=SLOT_NAME, **values))


@pytest.fixture
def host() -> MemoryHost:
    host = MemoryHost(behaviour=behave)
    host.add_image(IMAGE)
    return host


def behave(spec: ContainerSpec) -> Behaviour:
    """A container does what its environment says."""
    if spec.environment.get("EXITS"):
        return Behaviour(exits_with=3, output=("cannot open the database",))
    if spec.environment.get("SICK"):
        return Behaviour(health=("starting", "unhealthy"), health_output="the disk is full")
    return Behaviour()


def wanted(number: int, *, keep: int = 3, ports: tuple[str, ...] = ("8080:80",), **environment: str) -> Replacement:
    settings = RunSettings(
        name="web",
        ports=list(ports),
        environment=environment,
        health=HealthSettings(timeout=0.2, interval=0.01, settle=0),
        keep=keep,
    )
    spec = settings.specification(IMAGE, f"deployments-{number}", {SLOT: SLOT_NAME})
    return Replacement(slot=SLOT_NAME, spec=spec, health=settings.health, keep=keep)


def deploy(replacement: Replacement, host: MemoryHost, entry: RunEntry) -> str:
    return replace(replacement, host, entry, nullcontext, lambda _: None).container.name


def names_serving(host: MemoryHost) -> list[str]:
    return [container.name for container in serving(host, SLOT_NAME)]


def test_the_first_container_of_a_slot_just_starts(host: MemoryHost, entry: RunEntry) -> None:
    assert deploy(wanted(1), host, entry) == "web-deployments-1"
    assert names_serving(host) == ["web-deployments-1"]


def test_the_new_container_takes_the_place_and_the_old_one_is_kept_stopped(host: MemoryHost, entry: RunEntry) -> None:
    deploy(wanted(1), host, entry)
    deploy(wanted(2), host, entry)
    assert names_serving(host) == ["web-deployments-2"]
    kept = host.inspect("web-deployments-1")
    assert kept is not None
    assert kept.state == "exited"


def test_the_old_container_is_stopped_only_after_the_new_one_is_created(host: MemoryHost, entry: RunEntry) -> None:
    deploy(wanted(1), host, entry)
    host.calls.clear()
    deploy(wanted(2), host, entry)
    changing = [call.split()[0] for call in host.calls if call.split()[0] in {"create", "stop", "start", "remove"}]
    assert changing == ["create", "stop", "start"]


def test_a_container_that_ends_at_once_gives_way_to_the_old_one(host: MemoryHost, entry: RunEntry) -> None:
    deploy(wanted(1), host, entry)
    with pytest.raises(ContainerError) as caught:
        deploy(wanted(2, EXITS="1"), host, entry)
    assert "cannot open the database" in caught.value.output
    assert names_serving(host) == ["web-deployments-1"]
    assert host.inspect("web-deployments-2") is None


def test_a_container_that_stays_unhealthy_gives_way_to_the_old_one(host: MemoryHost, entry: RunEntry) -> None:
    deploy(wanted(1), host, entry)
    with pytest.raises(ContainerError, match=r"is unhealthy, as its HEALTHCHECK says") as caught:
        deploy(wanted(2, SICK="1"), host, entry)
    assert "health check: the disk is full" in caught.value.output
    assert names_serving(host) == ["web-deployments-1"]


@pytest.mark.parametrize("operation", ["create", "stop", "start"])
def test_whatever_call_fails_the_old_container_serves(operation: str, host: MemoryHost, entry: RunEntry) -> None:
    deploy(wanted(1), host, entry)
    host.fail_next(operation, ContainerError("the engine is out of sorts"))
    with pytest.raises(ContainerError, match="out of sorts"):
        deploy(wanted(2), host, entry)
    assert names_serving(host) == ["web-deployments-1"]
    assert host.inspect("web-deployments-2") is None


def test_an_engine_that_starts_anew_in_the_middle_is_waited_for(host: MemoryHost, entry: RunEntry) -> None:
    deploy(wanted(1), host, entry)
    away = HostError("nobody listens at the engine's address")

    def log(text: str) -> None:
        if text == "starting web-deployments-2":
            for operation in ("start", "remove", "platform", "platform"):
                host.fail_next(operation, away)
        said.append(text)

    said: list[str] = []
    with pytest.raises(HostError, match="nobody listens"):
        replace(wanted(2), host, entry, nullcontext, log)
    assert [line for line in said if line.startswith("warning: the engine does not answer")] == said[-2:-1]
    assert names_serving(host) == ["web-deployments-1"]
    assert host.inspect("web-deployments-2") is None


def test_what_cannot_be_put_back_while_the_engine_is_well_is_left_to_the_next_run(
    host: MemoryHost, entry: RunEntry
) -> None:
    deploy(wanted(1), host, entry)
    host.fail_next("start", ContainerError("no room"))
    for _ in range(2):
        host.fail_next("remove", HostError("out of sorts"))
    with pytest.raises(HalfDoneError, match="no room; and what ran before could not be put back: out of sorts"):
        deploy(wanted(2), host, entry)


def test_stop_that_was_cut_short_is_ended_before_the_old_container_starts_again(
    host: MemoryHost, entry: RunEntry
) -> None:
    """The engine goes on stopping it, and would kill what was only found running."""
    deploy(wanted(1), host, entry)
    (old,) = host.find({SLOT: SLOT_NAME})
    host.fail_next("stop", ContainerError("the connection to the engine broke"))
    host.calls.clear()
    with pytest.raises(ContainerError, match="broke"):
        deploy(wanted(2), host, entry)
    told = [call for call in host.calls if call in (f"stop {old.id}", f"start {old.id}")]
    assert told == [f"stop {old.id}", f"stop {old.id}", f"start {old.id}"]


def test_a_port_that_a_stranger_has_does_not_stop_the_old_one(host: MemoryHost, entry: RunEntry) -> None:
    deploy(wanted(1), host, entry)
    host.start(host.create(ContainerSpec(name="stranger", image=IMAGE, ports=(Port(container=80, host=9090),))).id)
    host.calls.clear()
    with pytest.raises(ContainerError, match="port 9090 is taken by the container stranger"):
        deploy(wanted(2, ports=("9090:80",)), host, entry)
    assert not any(call.startswith("stop ") for call in host.calls)
    assert names_serving(host) == ["web-deployments-1"]
    assert host.inspect("web-deployments-2") is None


def test_an_interrupt_in_the_middle_puts_the_old_container_back(host: MemoryHost, entry: RunEntry) -> None:
    deploy(wanted(1), host, entry)

    @contextmanager
    def interrupting() -> Iterator[None]:
        yield

    def log(text: str) -> None:
        if text.startswith("starting"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace(wanted(2), host, entry, interrupting, log)
    assert names_serving(host) == ["web-deployments-1"]


def test_a_port_that_is_taken_is_named_with_its_holder(host: MemoryHost, entry: RunEntry) -> None:
    stranger = host.create(ContainerSpec(name="stranger", image=IMAGE, ports=wanted(1).spec.ports))
    host.start(stranger.id)
    with pytest.raises(ContainerError, match="port 8080 is taken by the container stranger"):
        deploy(wanted(1), host, entry)
    assert [container.name for container in host.find({})] == ["stranger"]


def test_a_name_that_a_stranger_has_is_left_alone(host: MemoryHost, entry: RunEntry) -> None:
    host.create(ContainerSpec(name="web-deployments-1", image=IMAGE))
    with pytest.raises(ContainerError, match="belongs to a container that is not of this slot"):
        deploy(wanted(1), host, entry)
    assert host.inspect("web-deployments-1") is not None


def test_the_same_container_is_not_made_twice(host: MemoryHost, entry: RunEntry) -> None:
    deploy(wanted(1), host, entry)
    host.calls.clear()
    assert replace(wanted(1), host, entry, nullcontext, lambda _: None).unchanged
    assert not [call for call in host.calls if call.split()[0] in {"create", "stop", "start", "remove"}]


def test_the_same_deployment_with_other_settings_replaces_itself(host: MemoryHost, entry: RunEntry) -> None:
    deploy(wanted(1), host, entry)
    name = deploy(wanted(1, COLOUR="blue"), host, entry)
    assert name.startswith("web-deployments-1-")
    assert names_serving(host) == [name]


def test_a_leftover_of_the_same_name_is_made_anew(host: MemoryHost, entry: RunEntry) -> None:
    host.create(wanted(1).spec)
    assert deploy(wanted(1), host, entry) == "web-deployments-1"


def test_only_so_many_predecessors_are_kept(host: MemoryHost, entry: RunEntry) -> None:
    for number in range(1, 6):
        deploy(wanted(number, keep=2), host, entry)
    left = sorted(container.name for container in host.find({SLOT: SLOT_NAME}))
    assert left == ["web-deployments-3", "web-deployments-4", "web-deployments-5"]


def test_predecessor_that_cannot_be_removed_does_not_fail_a_deployment_that_serves(
    host: MemoryHost, entry: RunEntry
) -> None:
    deploy(wanted(1, keep=0), host, entry)
    host.fail_next("remove", HostError("the connection to the engine broke"))
    said: list[str] = []
    done = replace(wanted(2, keep=0), host, entry, nullcontext, said.append)
    assert done.container.name == "web-deployments-2"
    assert names_serving(host) == ["web-deployments-2"]
    assert "earlier containers were not cleared away: the connection to the engine broke" in said[-1]


def test_going_back_starts_the_kept_container_itself(host: MemoryHost, entry: RunEntry) -> None:
    deploy(wanted(1), host, entry)
    deploy(wanted(2), host, entry)
    kept = host.inspect("web-deployments-1")
    assert kept is not None
    back = Replacement(slot=SLOT_NAME, spec=wanted(1).spec, health=HealthSettings(settle=0), keep=9, kept=kept)
    deploy(back, host, entry)
    (now,) = serving(host, SLOT_NAME)
    assert now.id == kept.id


def test_what_a_dead_run_created_and_never_started_is_removed(host: MemoryHost, entry: RunEntry) -> None:
    host.create(wanted(7).spec)
    deploy(wanted(8), host, entry)
    assert [container.name for container in host.find({SLOT: SLOT_NAME})] == ["web-deployments-8"]
