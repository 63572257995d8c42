"""What every ContainerHost does with images, whatever stands behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import BuildError, RegistryError
from agent.host import BuildRequest
from tests.engine.peers import Peer


@pytest.fixture
def context(tmp_path: Path, peer: Peer) -> Path:
    (tmp_path / "Dockerfile").write_text(f"FROM {peer.image}\nCOPY page.html /\nEXPOSE 80\n", encoding="utf-8")
    (tmp_path / "page.html").write_text(peer.name("page"), encoding="utf-8")
    return tmp_path


def nothing(_done: int, _total: int) -> None:
    pass


def test_platform_names_the_operating_system(peer: Peer) -> None:
    platform = peer.host.platform()
    assert platform.os == "linux"
    assert platform.architecture
    assert platform.os_version == ""


def test_image_that_is_not_there_is_none(peer: Peer) -> None:
    assert peer.host.image(f"{peer.name('missing')}:1") is None


def test_build_gives_an_image_under_all_its_tags(peer: Peer, context: Path, lines: list[str]) -> None:
    first, second = f"{peer.name('app')}:1", f"MyRegistry:8080/{peer.name('app')}:2"
    labels = {"dockwright.slot": peer.name("slot")}
    built = peer.host.build(BuildRequest(context=context, tags=(first, second), labels=labels), lines.append)
    assert {first, second} <= set(built.tags)
    assert built.labels["dockwright.slot"] == labels["dockwright.slot"]
    assert built.os == "linux"
    assert built.exposed_ports == ("80/tcp",)
    assert not built.has_healthcheck
    assert peer.host.image(first) == peer.host.image(second) == peer.host.image(built.id)
    assert peer.host.images(labels) == [built]
    assert any("COPY page.html" in line for line in lines)


def test_build_of_the_same_context_gives_the_same_image(peer: Peer, context: Path, lines: list[str]) -> None:
    request = BuildRequest(context=context, tags=(f"{peer.name('app')}:1",))
    assert peer.host.build(request, lines.append).id == peer.host.build(request, lines.append).id


def test_build_on_a_missing_base_names_the_line(peer: Peer, tmp_path: Path, lines: list[str]) -> None:
    base = f"127.0.0.1:9/{peer.name('missing')}:1"
    (tmp_path / "Dockerfile").write_text(f"# a comment\n\nFROM {base}\n", encoding="utf-8")
    with pytest.raises(BuildError, match=r"^Dockerfile:3: FROM 127\.0\.0\.1:9/\S+: "):
        peer.host.build(BuildRequest(context=tmp_path, tags=(f"{peer.name('app')}:1",)), lines.append)


def test_build_without_a_dockerfile_says_which(peer: Peer, tmp_path: Path, lines: list[str]) -> None:
    request = BuildRequest(context=tmp_path, dockerfile="docker/App.Dockerfile", tags=())
    with pytest.raises(BuildError, match=r"App\.Dockerfile"):
        peer.host.build(request, lines.append)


def test_failed_build_leaves_the_tag_where_it_was(peer: Peer, context: Path, lines: list[str]) -> None:
    request = BuildRequest(context=context, tags=(f"{peer.name('app')}:1",))
    before = peer.host.build(request, lines.append)
    (context / "Dockerfile").write_text("FROM 127.0.0.1:9/missing:1\n", encoding="utf-8")
    with pytest.raises(BuildError):
        peer.host.build(request, lines.append)
    assert peer.host.image(request.tags[0]) == before


def test_pushed_image_can_be_pulled_again_by_tag_and_by_digest(peer: Peer, context: Path, lines: list[str]) -> None:
    repository = f"{peer.registry}/{peer.name('app')}"
    built = peer.host.build(BuildRequest(context=context, tags=(f"{repository}:1",)), lines.append)
    digest = peer.host.push(f"{repository}:1", None, nothing)
    assert digest.startswith("sha256:")
    assert len(digest) == 71
    for reference in (f"{repository}:1", f"{repository}@{digest}"):
        peer.host.remove_image(built.id if "@" in reference else f"{repository}:1")
        pulled = peer.host.pull(reference, None, nothing)
        assert pulled.id == built.id
        assert f"{repository}@{digest}" in pulled.digests


def test_pull_of_what_the_registry_lacks_is_a_registry_error(peer: Peer) -> None:
    with pytest.raises(RegistryError, match="no such image"):
        peer.host.pull(f"{peer.registry}/{peer.name('missing')}:1", None, nothing)


def test_push_of_what_the_host_lacks_is_a_registry_error(peer: Peer) -> None:
    with pytest.raises(RegistryError, match="this host has no such image"):
        peer.host.push(f"{peer.registry}/{peer.name('missing')}:1", None, nothing)


def test_tag_moves_to_the_image_that_gets_it_last(peer: Peer, context: Path, lines: list[str]) -> None:
    built = peer.host.build(BuildRequest(context=context, tags=(f"{peer.name('app')}:1",)), lines.append)
    moving = f"{peer.name('app')}:current"
    peer.host.tag(peer.image, moving)
    peer.host.tag(built.id, moving)
    found = peer.host.image(moving)
    assert found is not None
    assert found.id == built.id


def test_tag_of_a_missing_image_is_an_error(peer: Peer) -> None:
    with pytest.raises(BuildError, match=r"cannot tag \S+ as \S+: .*[Nn]o such image"):
        peer.host.tag(f"{peer.name('missing')}:1", f"{peer.name('app')}:1")


def test_removing_a_reference_keeps_the_image_while_it_has_another(
    peer: Peer, context: Path, lines: list[str]
) -> None:
    first, second = f"{peer.name('app')}:1", f"{peer.name('app')}:2"
    built = peer.host.build(BuildRequest(context=context, tags=(first, second)), lines.append)
    peer.host.remove_image(first)
    assert peer.host.image(first) is None
    assert peer.host.image(second) is not None
    peer.host.remove_image(second)
    assert peer.host.image(built.id) is None
    peer.host.remove_image(second)
