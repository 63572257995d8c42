"""Random histories against what a person would say is needed: nothing of it ever goes, on a host or in a registry."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.retention.world import REPOSITORY, World

SLOTS = ("dev", "uat", "live")
RELEASES = st.integers(1, 4)

ACTIONS = st.one_of(
    st.tuples(
        st.just("deploy"),
        st.sampled_from(SLOTS),
        RELEASES,
        st.sampled_from(["succeeded", "succeeded", "succeeded", "failed", "interrupted", "running"]),
        st.booleans(),
    ),
    st.tuples(st.just("make"), RELEASES, st.booleans()),
    st.tuples(st.just("rollback"), st.sampled_from(SLOTS)),
    st.tuples(st.just("elsewhere"), RELEASES),
    st.tuples(st.just("prune"), st.integers(0, 3)),
    st.tuples(st.just("retain"), st.sampled_from(SLOTS), st.integers(0, 3)),
)


def act(world: World, action: tuple[object, ...]) -> None:
    match action:
        case "deploy", str(slot), int(release), str(state), bool(files):
            world.deploy(slot, release, state, files=files)  # type: ignore[arg-type]
        case "make", int(release), bool(files):
            world.deploy("made", release, "succeeded", files=files, runs_it=False)
        case "rollback", str(slot):
            world.roll_back(slot)
        case "elsewhere", int(release):
            world.deploy_elsewhere(release)
        case "prune", int(keep):
            assert world.prune(keep) == []
        case "retain", str(slot), int(keep):
            assert world.prune(keep, {slot}) == []
        case _:
            raise AssertionError(action)


@settings(max_examples=200)
@given(st.lists(ACTIONS, min_size=5, max_size=40))
def test_nothing_that_is_needed_ever_goes(history: list[tuple[object, ...]]) -> None:
    world = World()
    for action in history:
        if action[0] not in ("prune", "retain"):
            world.time_passes()
        act(world, action)
    assert world.prune(0) == []


def test_what_is_beyond_the_count_goes_and_its_base_with_the_last_of_it() -> None:
    world = World()
    for _ in range(4):
        world.deploy("dev", 1, "succeeded", files=True)
    world.deploy("dev", 2, "succeeded", files=True)
    world.deploy("dev", 2, "succeeded", files=True)
    world.containers.clear()
    assert world.prune(2) == []
    assert sorted(world.tags) == [f"{REPOSITORY}:{tag}" for tag in ("1-deployments-4", "1-pkg", "2-deployments-5",
                                                                     "2-deployments-6", "2-pkg")]  # fmt: skip
    assert len(world.images) == 5
    assert world.prune(1) == []
    assert f"{REPOSITORY}:1-pkg" not in world.tags
    assert len(world.images) == 3


def test_one_image_under_many_tags_goes_when_nobody_needs_any() -> None:
    world = World()
    world.deploy("dev", 1, "succeeded", files=False)
    world.deploy("uat", 1, "succeeded", files=False)
    world.deploy("dev", 2, "succeeded", files=False)
    world.containers.clear()
    assert world.prune(0) == []
    assert world.release(1) in {tag.digest for tag in world.tags.values()}
    world.deploy("uat", 2, "succeeded", files=False)
    world.containers.clear()
    assert world.prune(0) == []
    assert {tag.digest for tag in world.tags.values()} == {world.digest(f"{REPOSITORY}:2-pkg")}


def test_a_slots_own_count_says_nothing_of_other_slots() -> None:
    world = World()
    for slot in ("dev", "live", "dev", "live"):
        world.deploy(slot, 1, "succeeded", files=True)
    world.containers.clear()
    assert world.prune(0, {"dev"}) == []
    assert f"{REPOSITORY}:1-deployments-1" not in world.tags
    assert f"{REPOSITORY}:1-deployments-2" in world.tags


def test_while_a_deployment_is_under_way_bases_stay() -> None:
    world = World()
    world.release(1)
    world.deploy("dev", 1, "succeeded", files=True)
    world.deploy("dev", 2, "succeeded", files=True)
    world.containers.clear()
    world.deploy("uat", 3, "running", files=True)
    assert world.prune(0) == []
    assert f"{REPOSITORY}:1-deployments-1" not in world.tags
    assert f"{REPOSITORY}:1-pkg" in world.tags


def test_what_another_agent_made_of_a_release_keeps_it() -> None:
    world = World()
    world.deploy("dev", 1, "succeeded", files=True)
    world.deploy("dev", 2, "succeeded", files=True)
    world.deploy_elsewhere(1)
    world.containers.clear()
    assert world.prune(0) == []
    assert f"{REPOSITORY}:1-pkg" in world.tags
    assert f"{REPOSITORY}:1-deployments-1" not in world.tags
