"""What may be pruned, judged by a model: what runs, and what a rollback may need, stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.containers import CONFIGURATION, DEPLOYMENT, SLOT
from agent.containers.labels import ROLE
from agent.host import ContainerInfo, ContainerState, ImageInfo
from agent.journal import Kind, RunRecord, State
from agent.retention.surplus import surplus


def container(
    number: int, state: ContainerState = "exited", slot: str = "a", labels: dict[str, str] | None = None
) -> ContainerInfo:
    return ContainerInfo(
        id=f"{slot}-c{number}",
        name=f"{slot}-{number}",
        image=f"r:5000/{slot}:{number}",
        image_id=f"sha256:{slot}{number}",
        state=state,
        labels={SLOT: slot, DEPLOYMENT: f"Deployments-{number}", **(labels or {})},
        started=f"2026-11-23T10:{number:02d}:00Z",
        finished=f"2026-11-23T11:{number:02d}:00Z",
    )


def image(number: int, slot: str = "a", *tags: str, **labels: str) -> ImageInfo:
    known = {SLOT: slot, CONFIGURATION: f"{slot}-conf{number}", DEPLOYMENT: f"Deployments-{number}", **labels}
    return ImageInfo(id=f"sha256:{slot}{number}", tags=tags or (f"r:5000/{slot}:{number}",), labels=known, size=1000)


def run(
    number: int, state: State = "succeeded", slot: str = "a", kind: Kind = "deployment", target: str = ""
) -> RunRecord:
    return RunRecord(
        number=number,
        id=f"Deployments-{number}",
        kind=kind,
        slot=slot,
        process=1,
        started="",
        finished="",
        state=state,
        error="",
        image=f"r:5000/{slot}:{number}",
        digest="",
        container=f"{slot}-{number}",
        configuration=f"{slot}-conf{number}",
        boot_seconds=None,
        release="",
        project="",
        environment="",
        tenant="",
        step="",
        host="",
        target=target,
    )


def going(
    containers: list[ContainerInfo], images: list[ImageInfo], runs: list[RunRecord], keep: int
) -> tuple[set[str], set[str]]:
    found = surplus(containers, images, runs, keep)
    return tuple({one.id for one in found if one.kind == kind} for kind in ("container", "image"))  # type: ignore[return-value]


def test_predecessors_beyond_the_count_go_with_their_images() -> None:
    containers = [container(4, "running"), container(3), container(2), container(1)]
    images = [image(number) for number in (1, 2, 3, 4)]
    runs = [run(number) for number in (4, 3, 2, 1)]
    assert going(containers, images, runs, 3) == (set(), set())
    assert going(containers, images, runs, 1) == ({"a-c1", "a-c2"}, {"sha256:a1", "sha256:a2"})
    assert going(containers, images, runs, 0) == ({"a-c1", "a-c2", "a-c3"}, {"sha256:a1", "sha256:a2", "sha256:a3"})


def test_after_a_rollback_the_ones_before_it_are_those_that_are_needed() -> None:
    containers = [container(2, "running"), *(container(number) for number in (1, 3, 4, 5))]
    images = [image(number) for number in range(1, 6)]
    runs = [run(6, kind="rollback", target="2"), *(run(number) for number in (5, 4, 3, 2, 1))]
    gone, untagged = going(containers, images, runs, 1)
    assert gone == {"a-c3", "a-c4"}
    assert untagged == {"sha256:a3", "sha256:a4"}


def test_where_nothing_runs_what_ran_last_stays() -> None:
    assert going([container(2), container(1)], [], [], 0) == ({"a-c1"}, set())


def test_relays_and_what_was_never_started_stay() -> None:
    containers = [container(1, labels={ROLE: "relay"}), container(2, "created"), container(3, "running")]
    assert going(containers, [], [], 0) == (set(), set())


def test_image_of_a_slot_that_the_journal_does_not_know_stays() -> None:
    assert going([], [image(1)], [], 0) == (set(), set())


def test_image_that_somebody_tagged_as_well_stays() -> None:
    images = [image(1, "a", "r:5000/a:1", "mine:1"), image(2)]
    assert going([], images, [run(2), run(1)], 0) == (set(), set())


def test_image_that_a_run_is_about_to_use_stays() -> None:
    assert going([], [image(1), image(2)], [run(3), run(2, "running"), run(1, "failed")], 0)[1] == {"sha256:a1"}


def test_base_of_an_image_that_stays_stays_too() -> None:
    base = ImageInfo(id="sha256:base", tags=("r:5000/a:1",), digests=("r:5000/a@sha256:b",), labels={SLOT: "a"})
    images = [base, image(2, "a", "r:5000/a:2", **{"dockwright.base": "sha256:b"})]
    assert going([], images, [run(2), run(1)], 0) == (set(), set())
    assert going([], images, [run(3), run(2), run(1)], 0)[1] == {"sha256:base", "sha256:a2"}


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["succeeded", "failed", "running"])), max_size=12),
    st.sets(st.integers(0, 11)),
    st.integers(0, 4),
)
def test_nothing_that_runs_or_that_a_rollback_needs_ever_goes(
    history: list[tuple[str, State]], lost: set[int], keep: int
) -> None:
    runs = [run(number, state, slot) for number, (slot, state) in enumerate(history)][::-1]
    good = {slot: [one.number for one in runs if one.slot == slot and one.state == "succeeded"] for slot in "ab"}
    containers = [
        container(one.number, "running" if one.number == good[one.slot][0] else "exited", one.slot)
        for one in runs
        if one.state == "succeeded" and one.number not in lost
    ]
    images = [image(one.number, one.slot) for one in runs]
    gone, untagged = going(containers, images, runs, keep)
    for slot in "ab":
        for number in good[slot][: keep + 1]:
            assert f"{slot}-c{number}" not in gone
            assert f"sha256:{slot}{number}" not in untagged
    left = [one for one in containers if one.id not in gone]
    assert untagged.isdisjoint(one.image_id for one in left)
    assert all(sum(one.labels[SLOT] == slot for one in left) <= keep + 1 for slot in "ab")
    assert not {f"sha256:{one.slot}{one.number}" for one in runs if one.state == "running"} & untagged
