"""Files of an image that only a host has, and the layer that its engine puts on top."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import ContainerError, InputError
from agent.host import BuildRequest, ContainerHost, ContainerSpec, ImageInfo
from agent.images import Found, LayerContent, exactly
from agent.images.host_files import find_host_files, unstarted
from agent.images.host_layer import HostLayer, build_on_top
from agent.images.layer import Attributes, LayerFile
from agent.labels import TEMPORARY
from agent.testing import MemoryHost
from agent.transform.globs import compile_glob
from tests.images.no_journal import NoJournal

DOCKERFILE = """\
FROM {base}
COPY app /srv/app
RUN chown -R 33:34 /srv/app && chmod 0640 /srv/app/a.json && ln -s /srv/app /app && ln -s a.json /srv/app/link.json \\
 && ln -s loop /loop
VOLUME /srv/app/data
ENTRYPOINT []
CMD []
"""


@pytest.fixture
def image(
    engine_host: ContainerHost, base_image: str, unique_name: Callable[[str], str], tmp_path: Path
) -> ImageInfo:
    for name in ("app/a.json", "app/conf/b [x].json", "app/data/c.json", "app/other.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    (tmp_path / "Dockerfile").write_text(DOCKERFILE.format(base=base_image), encoding="utf-8")
    request = BuildRequest(context=tmp_path, tags=(f"{unique_name('files')}:1",))
    return engine_host.build(request, lambda _line: None)


def find(
    host: ContainerHost,
    image: ImageInfo,
    name: str,
    *globs: str,
    compile_with: Callable[[str], re.Pattern[str]] = compile_glob,
) -> Found:
    with unstarted(image.id, name, host, NoJournal()) as container:
        return find_host_files(container, globs, compile_with, host)


def test_paths_and_globs_find_files_with_modes_and_owners(
    engine_host: ContainerHost, image: ImageInfo, unique_name: Callable[[str], str]
) -> None:
    name = unique_name("look")
    found = find(engine_host, image, name, "srv/app/a.json", "srv/app/**/*.json", "srv/nothing", "none/*.json")
    contents = {file.path: file.content.decode() for file in found.files}
    assert contents == {
        "srv/app/a.json": "app/a.json",
        "srv/app/conf/b [x].json": "app/conf/b [x].json",
        "srv/app/data/c.json": "app/data/c.json",
    }
    assert found.files[0].attributes == Attributes(mode=0o640, uid=33, gid=34)
    assert found.unmatched == ("srv/nothing", "none/*.json")
    assert engine_host.inspect(name) is None


def test_links_lead_to_the_file_and_loops_to_nothing(
    engine_host: ContainerHost, image: ImageInfo, unique_name: Callable[[str], str]
) -> None:
    found = find(engine_host, image, unique_name("look"), "srv/app/link.json", "app/a.json", "loop", "srv/app")
    assert [file.path for file in found.files] == ["app/a.json", "srv/app/a.json"]
    assert found.unmatched == ("loop", "srv/app")


def test_a_path_is_taken_as_it_is_whatever_characters_it_has(
    engine_host: ContainerHost, image: ImageInfo, unique_name: Callable[[str], str]
) -> None:
    found = find(engine_host, image, unique_name("look"), "srv/app/conf/b [x].json", compile_with=exactly)
    assert [file.path for file in found.files] == ["srv/app/conf/b [x].json"]


def test_the_engine_puts_files_on_top_with_modes_and_owners(
    engine_host: ContainerHost, image: ImageInfo, unique_name: Callable[[str], str], tmp_path: Path
) -> None:
    reference = f"{unique_name('files')}:2"
    attributes = Attributes(mode=0o640, uid=33, gid=34)
    file = LayerFile(path="srv/app/a.json", content=b"new", attributes=attributes)
    layer = HostLayer(
        base=image,
        reference=reference,
        content=LayerContent(files=(file,)),
        labels={"of": 'a "$HOME" \\ b'},
        work=tmp_path,
    )
    made = build_on_top(layer, engine_host, NoJournal(), lambda _line: None)
    assert made.labels["of"] == 'a "$HOME" \\ b'
    (changed,) = find(engine_host, made, unique_name("look"), "srv/app/a.json").files
    assert (changed.content, changed.attributes) == (b"new", attributes)
    assert not list(tmp_path.glob("layer-*"))


@pytest.mark.parametrize(
    ("content", "base"),
    [
        (LayerContent(deleted=("srv/x",)), ImageInfo(id="sha256:1")),
        (LayerContent(), ImageInfo(id="sha256:1", build_triggers=True)),
    ],
)
def test_what_only_a_registry_can_do_is_refused(content: LayerContent, base: ImageInfo, tmp_path: Path) -> None:
    layer = HostLayer(base=base, reference="a:1", content=content, labels={}, work=tmp_path)
    with pytest.raises(InputError, match="give the step a registry"):
        build_on_top(layer, MemoryHost(), NoJournal(), lambda _line: None)


def test_a_container_of_someone_else_under_the_name_is_left_alone() -> None:
    host = MemoryHost()
    host.add_image("a:1")
    host.create(ContainerSpec(name="look", image="a:1"))
    with pytest.raises(ContainerError), unstarted("a:1", "look", host, NoJournal()):
        pass
    assert host.inspect("look") is not None
    host.remove("look")
    host.create(ContainerSpec(name="look", image="a:1", labels={TEMPORARY: "look"}))
    with unstarted("a:1", "look", host, NoJournal()):
        pass
    assert host.inspect("look") is None


def test_what_a_plan_left_that_was_killed_is_removed_after_an_hour_and_nothing_else() -> None:
    host = MemoryHost()  # its clock begins in 1970
    host.add_image("shop:1")
    for name in ("look-plan-1-ab", "look"):
        host.create(ContainerSpec(name=name, image="shop:1", labels={TEMPORARY: name}))
    with unstarted("shop:1", "look-plan-3-ef", host, NoJournal()):
        names = sorted(found.name for found in host.find({TEMPORARY: ""}))
    assert names == ["look", "look-plan-3-ef"]
