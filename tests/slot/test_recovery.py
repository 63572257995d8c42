import dataclasses
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from agent.containers import DEPLOYMENT, SLOT, HealthSettings, Replacement, RunSettings, replace, serving
from agent.errors import HalfDoneError, HostError
from agent.host import ContainerSpec, ImageInfo
from agent.images.host_files import unstarted
from agent.journal import Journal, NewRun, RunEntry
from agent.slot.recovery import recover
from agent.testing import Behaviour, MemoryHost

SLOT_NAME = "shop/test/untenanted/web"
IMAGE = "registry/shop:1"
CHANGING = {"create", "stop", "start", "remove"}


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the run's own clean-up happens after it."""


class DyingHost(MemoryHost):
    """Dies before or after the n-th call that changes something, and does nothing at all after that."""

    def __init__(self, calls_before_death: int, *, after: bool) -> None:
        super().__init__(behaviour=behave)
        self.left = calls_before_death
        self.after = after
        self.dead = False
        self.dying = False

    def mortal(self, operation: str, *arguments: object) -> object:
        if self.dead:
            raise Killed
        self.left -= self.dying
        if self.dying and self.left < 0 and not self.after:
            self.dead = True
            raise Killed
        result = getattr(MemoryHost, operation)(self, *arguments)
        if self.dying and self.left < 0:
            self.dead = True
            raise Killed
        return result

    def create(self, spec: ContainerSpec):  # type: ignore[no-untyped-def]
        return self.mortal("create", spec)

    def start(self, container: str) -> None:
        self.mortal("start", container)

    def stop(self, container: str, timeout: int) -> None:
        self.mortal("stop", container, timeout)

    def remove(self, container: str) -> None:
        self.mortal("remove", container)


def behave(spec: ContainerSpec) -> Behaviour:
    return Behaviour(exits_with=1) if spec.environment.get("EXITS") else Behaviour()


def wanted(number: int, **environment: str) -> Replacement:
    settings = RunSettings(
        name="web",
        ports=["8080:80"],
        environment=environment,
        restart="no",
        health=HealthSettings(timeout=0.2, interval=0.01, settle=0),
    )
    spec = settings.specification(IMAGE, f"deployments-{number}", {SLOT: SLOT_NAME})
    return Replacement(slot=SLOT_NAME, spec=spec, health=settings.health, keep=3)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.db")
    yield journal
    journal.close()


def begun(journal: Journal, number: int) -> RunEntry:
    values = dict.fromkeys(("release", "project", "environment", "tenant", "step", "host"), "")
    run = NewRun(id=f"Deployments-{number}", kind="deployment", slot=SLOT_NAME, **values)
    return journal.begin(run)


def deployed_and_killed(host: DyingHost, journal: Journal, second: Replacement) -> None:
    host.add_image(IMAGE)
    replace(wanted(1), host, begun(journal, 1), nullcontext, lambda _: None)
    journal.entry(journal.runs()[0]).finish("succeeded", container="web-deployments-1")
    entry = begun(journal, 2)
    host.dying = True
    with pytest.raises(Killed):
        replace(second, host, entry, nullcontext, lambda _: None)
    host.dead = host.dying = False


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("calls", range(3), ids=["create", "stop", "start"])
def test_killed_at_any_call_exactly_one_container_serves_after_recovery(
    calls: int, after: bool, journal: Journal
) -> None:
    host = DyingHost(calls, after=after)
    deployed_and_killed(host, journal, wanted(2))
    recover(SLOT_NAME, journal, lambda: host, lambda _: None)
    (now,) = serving(host, SLOT_NAME)
    record = journal.runs()[0]
    if (calls, after) == (2, True):
        assert (now.name, record.state, record.container) == ("web-deployments-2", "succeeded", "web-deployments-2")
    else:
        assert (now.name, record.state) == ("web-deployments-1", "interrupted")
        assert [container.name for container in host.find({SLOT: SLOT_NAME})] == ["web-deployments-1"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("calls", range(3, 5), ids=["remove the new", "start the old"])
def test_killed_while_undoing_the_old_one_serves_after_recovery(calls: int, after: bool, journal: Journal) -> None:
    host = DyingHost(calls, after=after)
    deployed_and_killed(host, journal, wanted(2, EXITS="1"))
    recover(SLOT_NAME, journal, lambda: host, lambda _: None)
    assert [container.name for container in host.find({SLOT: SLOT_NAME})] == ["web-deployments-1"]
    assert [container.name for container in serving(host, SLOT_NAME)] == ["web-deployments-1"]
    assert journal.runs()[0].state == "interrupted"


def test_a_container_that_was_only_looked_into_is_gone_after_recovery(journal: Journal) -> None:
    host = DyingHost(1, after=False)
    host.add_image(IMAGE)
    entry = begun(journal, 1)
    host.dying = True
    with pytest.raises(Killed), unstarted(IMAGE, "look-1", host, entry):
        pass
    host.dead = host.dying = False
    assert host.inspect("look-1") is not None
    recover(SLOT_NAME, journal, lambda: host, lambda _: None)
    assert host.inspect("look-1") is None
    assert journal.runs()[0].state == "interrupted"


def test_killed_before_the_last_word_the_old_one_serves_after_recovery(journal: Journal) -> None:
    host = DyingHost(99, after=False)

    def killed() -> None:
        host.dead = True
        raise Killed

    deployed_and_killed(host, journal, dataclasses.replace(wanted(2), accept=killed))
    recover(SLOT_NAME, journal, lambda: host, lambda _: None)
    assert [container.name for container in serving(host, SLOT_NAME)] == ["web-deployments-1"]
    assert journal.runs()[0].state == "interrupted"


def test_recovering_twice_changes_nothing_more(journal: Journal) -> None:
    host = DyingHost(1, after=True)
    deployed_and_killed(host, journal, wanted(2))
    recover(SLOT_NAME, journal, lambda: host, lambda _: None)
    host.calls.clear()
    recover(SLOT_NAME, journal, lambda: host, lambda _: None)
    assert not [call for call in host.calls if call.split()[0] in CHANGING]


def test_a_failure_that_cannot_be_undone_is_undone_by_the_next_command(journal: Journal) -> None:
    host = DyingHost(99, after=False)
    host.add_image(IMAGE)
    replace(wanted(1), host, begun(journal, 1), nullcontext, lambda _: None)
    journal.entry(journal.runs()[0]).finish("succeeded", container="web-deployments-1")
    entry = begun(journal, 2)
    for _ in range(2):  # it is tried once more
        host.fail_next("remove", HostError("the engine is gone"))
    with pytest.raises(HalfDoneError, match="a guard goes on trying for half an hour") as caught:
        replace(wanted(2, EXITS="1"), host, entry, nullcontext, lambda _: None)
    entry.fail(caught.value)
    assert serving(host, SLOT_NAME) == []
    recover(SLOT_NAME, journal, lambda: host, lambda _: None)
    assert [container.name for container in host.find({SLOT: SLOT_NAME})] == ["web-deployments-1"]
    assert [container.name for container in serving(host, SLOT_NAME)] == ["web-deployments-1"]


@pytest.mark.parametrize("kind", ["build", "push"])
def test_the_image_made_for_a_run_that_died_is_gone_after_recovery(kind: str, journal: Journal) -> None:
    host = MemoryHost()
    host.add_image("registry/shop:1.0.0-deployments-1")
    with begun(journal, 1).effect(kind, kind, "registry/shop:1.0.0-deployments-1"):
        pass
    recover(SLOT_NAME, journal, lambda: host, lambda _: None)
    assert host.images({}) == []


def test_the_image_of_a_deployment_that_had_succeeded_outlives_its_second_run(journal: Journal) -> None:
    host = MemoryHost()
    host.add_image("registry/shop:1.0.0-deployments-1")
    begun(journal, 1).finish("succeeded", container="web-deployments-1")
    with begun(journal, 1).effect("build", "build", "registry/shop:1.0.0-deployments-1"):
        pass
    recover(SLOT_NAME, journal, lambda: host, lambda _: None)
    assert [image.tags for image in host.images({})] == [("registry/shop:1.0.0-deployments-1",)]


def test_an_image_that_others_run_is_left_to_them(journal: Journal) -> None:
    host = MemoryHost()
    host.add_image("registry/shop:1.0.0-deployments-1")
    host.create(ContainerSpec(name="another", image="registry/shop:1.0.0-deployments-1"))
    with begun(journal, 1).effect("build", "build", "registry/shop:1.0.0-deployments-1"):
        pass
    recover(SLOT_NAME, journal, lambda: host, lambda _: None)
    assert journal.runs()[0].state == "interrupted"
    assert len(host.images({})) == 1


def test_images_without_a_name_that_a_killed_build_made_are_removed(journal: Journal) -> None:
    made, kept = ImageInfo(id=f"sha256:{'a' * 64}"), ImageInfo(id=f"sha256:{'b' * 64}")
    host = MemoryHost()
    host.put_image(made)
    host.put_image(kept)
    entry = begun(journal, 1)
    with entry.effect("build", "layer", "a" * 12):
        pass
    recover(SLOT_NAME, journal, lambda: host, lambda _: None)
    assert host.image(made.id) is None
    assert host.image(kept.id) == kept


def test_an_image_that_the_engine_pulled_for_nobody_is_removed(journal: Journal) -> None:
    pulled = ImageInfo(id=f"sha256:{'a' * 64}", labels={SLOT: SLOT_NAME, DEPLOYMENT: "Deployments-1"})
    elsewhere = ImageInfo(id=f"sha256:{'b' * 64}", labels={SLOT: "another", DEPLOYMENT: "Deployments-1"})
    host = MemoryHost()
    host.put_image(pulled)
    host.put_image(elsewhere)
    with pytest.raises(Killed), begun(journal, 1).effect("push", "pull", "registry/shop@sha256:" + "c" * 64):
        raise Killed
    recover(SLOT_NAME, journal, lambda: host, lambda _: None)
    assert host.images({}) == [elsewhere]
