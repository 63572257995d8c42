from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import HostError
from agent.host import BuildRequest, ImageInfo, LineSink
from agent.images.build import ImageRequest, build
from agent.images.settings import BuildSettings
from agent.images.unfinished import LAYER, STEP, left_by, noting
from agent.journal import EffectRecord
from agent.testing import MemoryHost
from tests.images.no_journal import NoJournal

BASE, FIRST, SECOND, LAST = ("sha256:" + digit * 64 for digit in "abcd")
BEGUN = "2026-11-23T10:00:00.000+00:00"
DURING = "2026-11-23T10:00:01.000000000Z"
LINES = [
    "Step 1/4 : FROM base",
    f" ---> {BASE[7:19]}",
    "Step 2/4 : LABEL a=b",
    " ---> Using cache",
    f" ---> {FIRST[7:19]}",
    "Step 3/4 : COPY site /app/",
    f" ---> {SECOND[7:19]}",
    "Step 4/4 : RUN make",
]


class Noted:
    def __init__(self) -> None:
        self.effects: list[EffectRecord] = []

    @contextmanager
    def effect(self, stage: str, kind: str, name: str) -> Iterator[None]:
        yield
        self.effects.append(EffectRecord(stage=stage, kind=kind, name=name, intent=BEGUN, done=BEGUN, failed=""))


def noted(*lines: str) -> list[EffectRecord]:
    journal, passed = Noted(), list[str]()
    output = noting(passed.append, journal)
    for line in lines:
        output(line)
    assert passed == list(lines)
    return journal.effects


def host_with(*images: ImageInfo) -> MemoryHost:
    host = MemoryHost()
    for image in (ImageInfo(id=BASE, tags=("base:1",)), *images):
        host.put_image(image)
    return host


def ids(effects: list[EffectRecord], host: MemoryHost) -> list[str]:
    return [image.id for image in left_by(effects, host)]


def test_what_a_build_makes_is_noted_but_not_what_it_finds() -> None:
    effects = noted(*LINES)
    assert [effect.name for effect in effects if effect.kind == LAYER] == [SECOND[7:19]]
    assert effects[-1].kind == STEP
    assert effects[-1].name == f"{SECOND[7:19]} make"


def test_the_output_of_a_program_is_not_mistaken_for_an_image() -> None:
    assert [effect.kind for effect in noted(*LINES, "---> abcdefabcdef", " ---> 12 of 13")][-1] == STEP


def test_an_image_that_the_dead_build_made_is_left() -> None:
    assert ids(noted(*LINES), host_with(ImageInfo(id=SECOND, parent=FIRST))) == [SECOND]


def test_what_the_engine_still_built_on_it_is_left_in_its_place() -> None:
    host = host_with(ImageInfo(id=SECOND, parent=FIRST), ImageInfo(id=LAST, parent=SECOND))
    assert ids(noted(*LINES), host) == [LAST]


def test_an_image_with_a_name_stays() -> None:
    host = host_with(ImageInfo(id=SECOND, parent=FIRST), ImageInfo(id=LAST, parent=SECOND, tags=("shop:1",)))
    assert ids(noted(*LINES), host) == []


def test_the_instruction_under_way_is_known_by_its_base_its_time_and_its_last_word() -> None:
    effects = noted(*LINES[:3])
    ours = ImageInfo(id=LAST, parent=BASE, created=DURING, command="/bin/sh -c #(nop)  LABEL a=b")
    assert ids(effects, host_with(ours)) == [LAST]
    assert ids(noted(*LINES[:2], 'Step 2/4 : LABEL "a"="b"'), host_with(ours)) == [LAST]
    earlier = replace(ours, created="2026-11-23T09:59:59.000000000Z")
    another = replace(ours, command="/bin/sh -c #(nop)  LABEL c=d")
    elsewhere = replace(ours, parent=SECOND)
    for stranger in (earlier, another, elsewhere):
        assert ids(effects, host_with(stranger)) == []


def test_a_run_that_built_nothing_asks_the_host_nothing() -> None:
    host = host_with()
    before = list(host.calls)
    assert left_by([], host) == []
    assert host.calls == before


class LosingHost(MemoryHost):
    """The connection is lost during a build, which the engine ends all the same."""

    def build(self, request: BuildRequest, output: LineSink) -> ImageInfo:  # noqa: ARG002
        self.put_image(ImageInfo(id=LAST, labels=request.labels))
        raise HostError("the connection to the engine broke")


def test_what_an_engine_made_of_a_build_that_was_lost_is_removed(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    host = LosingHost()
    host.put_image(ImageInfo(id=FIRST, labels={"deployment": "1"}))
    host.put_image(ImageInfo(id=SECOND, tags=("shop:1",), labels={"deployment": "2"}))
    request = ImageRequest(
        tree=tmp_path, reference="shop:2", settings=BuildSettings(), identity={}, labels={"deployment": "2"}
    )
    with pytest.raises(HostError, match="the connection to the engine broke"):
        build(request, host, NoJournal(), lambda _line: None, lambda _line: None)
    assert [image.id for image in host.images({})] == [FIRST, SECOND]
