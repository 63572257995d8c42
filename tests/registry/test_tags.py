"""Listing the tags of a repository, and having a registry forget an image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.errors import InputError, RegistryError
from agent.host import BuildRequest, ContainerHost
from agent.registry.client import RegistryClient
from tests.conftest import TestRun
from tests.registry.fake_server import FakeServer, Reply

DIGEST = "sha256:" + "ab" * 32


def client(server: FakeServer) -> RegistryClient:
    return RegistryClient(server.name, certificates=Path("/nonexistent"), pause=lambda _seconds: None)


def page(tags: object, link: str = "") -> Reply:
    return Reply(headers={"Link": link} if link else {}, body=json.dumps({"name": "app", "tags": tags}).encode())


def test_real_registry_lists_and_forgets(
    registry: str, engine_host: ContainerHost, base_image: str, test_run: TestRun, tmp_path: Path
) -> None:
    repository = test_run.name("tags")
    (tmp_path / "Dockerfile").write_text(f"FROM {base_image}\n", encoding="utf-8")
    names = [f"{registry}/{repository}:{tag}" for tag in ("1.0-deployments-1", "1.0-deployments-2")]
    engine_host.build(BuildRequest(context=tmp_path, tags=tuple(names)), lambda _line: None)
    (digest,) = {engine_host.push(name, None, lambda _done, _total: None) for name in names}
    with RegistryClient(registry) as real:
        assert sorted(real.tags(repository)) == ["1.0-deployments-1", "1.0-deployments-2"]
        assert real.tags(f"{repository}/other") == ()
        assert real.delete_manifest(repository, digest)
        assert real.manifest_digest(repository, "1.0-deployments-1") is None
        assert not real.delete_manifest(repository, digest)


def test_tags_come_page_by_page(fake_registry: FakeServer) -> None:
    def answer(path: str) -> Reply:
        if "last=b" in path:
            return page(["c"])
        return page(["a", "b"], '</v2/app/tags/list?n=2&last=b>; rel="next"')

    fake_registry.script = lambda asked: answer(asked.path)
    with client(fake_registry) as registry:
        assert registry.tags("app") == ("a", "b", "c")


@pytest.mark.parametrize("body", [page(None), page([]), Reply(status=404)])
def test_no_tags_are_none(fake_registry: FakeServer, body: Reply) -> None:
    fake_registry.script = lambda _asked: body
    with client(fake_registry) as registry:
        assert registry.tags("app") == ()


def test_what_cannot_be_a_tag_is_left_out(fake_registry: FakeServer) -> None:
    fake_registry.script = lambda _asked: page(["ok", "../x", "-o", "a b", "", "a\r\nHost: x"])
    with client(fake_registry) as registry:
        assert registry.tags("app") == ("ok",)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (page(["a"], '</v2/app/tags/list?n=1>; rel="next"'), "does not end"),
        (page(["a"], '<http://elsewhere.test/v2/app/tags/list?n=1>; rel="next"'), "goes on elsewhere"),
        (page(["a"], '</v2/other/tags/list?n=1>; rel="next"'), "goes on elsewhere"),
        (Reply(body=b"<html>"), "is none"),
        (Reply(body=b'{"tags": [1]}'), "is none"),
        (Reply(status=403), "refuses this"),
    ],
)
def test_a_list_that_cannot_be_trusted_is_refused(fake_registry: FakeServer, reply: Reply, message: str) -> None:
    fake_registry.script = lambda _asked: reply
    with client(fake_registry) as registry, pytest.raises(RegistryError, match=message):
        registry.tags("app")


@pytest.mark.parametrize("status", [405, 400, 501])
def test_registry_that_deletes_nothing_is_told_so(fake_registry: FakeServer, status: int) -> None:
    fake_registry.script = lambda _asked: Reply(status=status)
    with client(fake_registry) as registry, pytest.raises(RegistryError, match="deletes no images"):
        registry.delete_manifest("app", DIGEST)


def test_deleting_what_may_not_be_deleted_is_an_error(fake_registry: FakeServer) -> None:
    fake_registry.script = lambda _asked: Reply(status=403)
    with client(fake_registry) as registry, pytest.raises(RegistryError, match="cannot delete"):
        registry.delete_manifest("app", DIGEST)


def test_repository_cannot_lead_a_deletion_astray(fake_registry: FakeServer) -> None:
    with client(fake_registry) as registry:
        with pytest.raises(InputError):
            registry.delete_manifest("a/../b", DIGEST)
        with pytest.raises(InputError):
            registry.tags("a?x=1")
    assert fake_registry.asked == []
