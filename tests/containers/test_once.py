import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from agent.containers import SLOT
from agent.containers.once import ONCE, OneOff, leaving_nothing, remove_once, run_once
from agent.errors import ContainerError, HostError
from agent.host import ContainerInfo, ContainerSpec
from agent.testing import Behaviour, MemoryHost

IMAGE = "tools:1"


class Journal:
    """Keeps the names of effects."""

    def __init__(self) -> None:
        self.effects: list[str] = []

    @contextmanager
    def effect(self, stage: str, kind: str, name: str) -> Iterator[None]:
        self.effects.append(f"{stage} {kind} {name}")
        yield


def host(**behaviour: object) -> MemoryHost:
    made = MemoryHost(behaviour=lambda _spec: Behaviour(**behaviour))  # type: ignore[arg-type]
    made.add_image(IMAGE)
    return made


def one_off(slot: str = "a/b/c/d", **more: object) -> OneOff:
    spec = ContainerSpec(name=f"once-{slot[0]}", image=IMAGE, restart="no", labels={ONCE: slot})
    return OneOff(spec=spec, time_limit=5, **more)  # type: ignore[arg-type]


def nothing(_container: ContainerInfo) -> None:
    pass


@pytest.mark.parametrize("code", [0, 1, 42])
def test_its_lines_and_its_exit_code_come_back(code: int) -> None:
    lines: list[str] = []
    journal = Journal()
    engine = host(exits_with=code, output=("one", "two"))
    assert run_once(one_off(), engine, journal, lines.append, nothing) == code
    assert lines == ["one", "two"]
    assert journal.effects == ["once create once-a", "once start once-a"]


def test_files_are_there_before_it_starts_and_what_it_left_before_it_goes() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("kit/x")
        entry.size = 2
        tar.addfile(entry, io.BytesIO(b"hi"))
    engine = host(exits_with=0, files={"/out": b"made"})
    seen: list[bytes] = []

    def collect(container: ContainerInfo) -> None:
        for path in ("/kit/x", "/out"):
            with tarfile.open(fileobj=io.BytesIO(b"".join(engine.copy_out(container.id, path)))) as tar:
                seen.extend(file.read() for member in tar if (file := tar.extractfile(member)))

    run_once(one_off(files=buffer.getvalue()), engine, Journal(), lambda _: None, collect)
    assert seen == [b"hi", b"made"]
    calls = [call.split()[0] for call in engine.calls]
    assert calls.index("copy_in") < calls.index("start")


def test_when_its_time_is_up_it_is_stopped_and_looked_at() -> None:
    engine = host()
    looked: list[str] = []
    with pytest.raises(
        ContainerError, match="once-a had not ended after 5 s and was stopped; give it more time-limit"
    ):
        run_once(one_off(), engine, Journal(), lambda _: None, lambda container: looked.append(container.name))
    assert looked == ["once-a"]
    assert not any(found.running for found in engine.find({ONCE: ""}))


def test_only_what_was_made_for_the_slot_is_removed() -> None:
    engine = host(exits_with=0)
    engine.add_image("dockwright/once:1", labels={ONCE: "a/b/c/d"})
    engine.add_image("other:1", labels={ONCE: "x/b/c/d"})
    for slot in ("a/b/c/d", "x/b/c/d"):
        engine.create(one_off(slot).spec)
    engine.create(ContainerSpec(name="shop", image=IMAGE, labels={SLOT: "a/b/c/d"}))
    assert remove_once("a/b/c/d", engine) == ["once-a", "dockwright/once:1"]
    assert sorted(found.name for found in engine.find({})) == ["once-x", "shop"]
    assert engine.image("other:1") is not None
    assert remove_once("a/b/c/d", engine) == []


def test_nothing_is_left_whatever_happens() -> None:
    engine = host(exits_with=0)

    def interrupted() -> None:
        with leaving_nothing("a/b/c/d", engine, nullcontext, print):
            engine.create(one_off().spec)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert engine.find({ONCE: ""}) == []


def test_what_a_run_that_died_has_left_is_gone_before() -> None:
    engine = host(exits_with=0)
    engine.create(one_off().spec)
    with leaving_nothing("a/b/c/d", engine, nullcontext, print):
        assert engine.find({ONCE: ""}) == []


def test_what_cannot_be_removed_is_told_of_and_hides_no_failure() -> None:
    engine = host(exits_with=0)
    told: list[str] = []

    def failing() -> None:
        with leaving_nothing("a/b/c/d", engine, nullcontext, told.append):
            engine.create(one_off().spec)
            engine.fail_next("remove", HostError("the engine is gone"))
            raise ContainerError("its own")

    with pytest.raises(ContainerError, match="its own"):
        failing()
    (line,) = told
    assert "could not be removed: the engine is gone; the next run of the slot will do it" in line


def test_output_that_cannot_be_followed_is_a_failure() -> None:
    engine = host(exits_with=0)
    engine.fail_next("follow", HostError("the engine is gone"))
    with pytest.raises(HostError, match="the engine is gone"):
        run_once(one_off(), engine, Journal(), lambda _: None, nothing)
