"""Having registries forget images: what changed meanwhile stays, and one that deletes nothing is asked but once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.labels import BASE, PACKAGE
from agent.retention.registries import Registries, remove_from_registries, surplus_in_registries
from agent.retention.surplus import Surplus
from agent.retention.tags import Unneeded
from tests.registry.fake_server import Asked, FakeServer, Reply
from tests.registry.memory_registry import MemoryRegistry

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Noted:
    """A journal that keeps what was done only."""

    def __init__(self) -> None:
        self.names: list[str] = []

    @contextmanager
    def effect(self, stage: str, kind: str, name: str) -> Iterator[None]:
        self.names.append(f"{stage}: {kind} {name}")
        yield


def keep(registry: MemoryRegistry, tag: str, labels: dict[str, str], *layers: str) -> str:
    """An image in the repository `app`; its digest."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64 for _ in layers]},
    }
    parts = [registry.keep("app", json.dumps(config).encode(), CONFIG)]
    parts += [registry.keep("app", layer.encode(), LAYER) for layer in layers]
    said = [{"mediaType": part.media_type, "digest": part.digest, "size": part.size} for part in parts]
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": said[0], "layers": said[1:]}
    return registry.keep_manifest("app", tag, MANIFEST, json.dumps(manifest).encode())


def with_tags(registry: MemoryRegistry, *, deletes: bool = True) -> MemoryRegistry:
    def also(asked: Asked) -> Reply | None:
        if "/tags/list" in asked.path:
            tags = [tag for _, tag in registry.manifests if ":" not in tag]
            return Reply(body=json.dumps({"name": "app", "tags": tags}).encode())
        if asked.method == "DELETE":
            return Reply(status=202 if deletes else 405)
        return None

    registry.faults = also
    return registry


def deleted(server: FakeServer) -> list[str]:
    return [asked.path.rpartition("/")[2] for asked in server.asked if asked.method == "DELETE"]


def remove(server: FakeServer, known: Unneeded, now: Unneeded, folder: Path) -> tuple[list[Surplus], list[str]]:
    """What went, and what was warned of."""
    warnings: list[str] = []
    registries = Registries(image_cache=folder)
    found = surplus_in_registries(known, registries, warnings.append)
    gone = remove_from_registries(found, lambda: now, registries, Noted(), warnings.append)
    return list(gone), warnings


def known_of(server: FakeServer, built: str = "", **deployed: str) -> Unneeded:
    pairs = {(f"{server.name}/app:{tag}", digest) for tag, digest in deployed.items()}
    return Unneeded(
        deployed=frozenset(pairs), built=frozenset({f"{server.name}/app:{built}"} if built else ()),
    )  # fmt: skip


def test_deployments_go_before_the_release_they_are_made_of(fake_registry: FakeServer, tmp_path: Path) -> None:
    registry = with_tags(MemoryRegistry())
    registry.serve(fake_registry)
    base = keep(registry, "release", {PACKAGE: "p"}, "code")
    made = keep(registry, "one", {PACKAGE: "p", BASE: base, "dockwright.slot": "a"}, "code", "configuration")
    known = known_of(fake_registry, "release", one=made)
    gone, warnings = remove(fake_registry, known, known, tmp_path)
    assert [one.id for one in gone] == deleted(fake_registry) == [made, base]
    assert warnings == []


def test_image_that_somebody_needs_by_now_stays(fake_registry: FakeServer, tmp_path: Path) -> None:
    registry = with_tags(MemoryRegistry())
    registry.serve(fake_registry)
    made = keep(registry, "one", {"dockwright.slot": "a"}, "code")
    gone, _ = remove(fake_registry, known_of(fake_registry, one=made), known_of(fake_registry), tmp_path)
    assert gone == []
    assert deleted(fake_registry) == []


def test_what_cannot_be_read_may_stand_on_any_release(fake_registry: FakeServer, tmp_path: Path) -> None:
    registry = with_tags(MemoryRegistry())
    registry.serve(fake_registry)
    keep(registry, "release", {PACKAGE: "p"}, "code")
    made = keep(registry, "one", {BASE: "sha256:" + "1" * 64, "dockwright.slot": "a"}, "code", "configuration")
    registry.keep_manifest("app", "strange", "text/plain", b"what is this")
    known = known_of(fake_registry, "release", one=made)
    gone, _ = remove(fake_registry, known, known, tmp_path)
    assert [one.id for one in gone] == [made]


def test_registry_that_deletes_nothing_is_warned_of_once(fake_registry: FakeServer, tmp_path: Path) -> None:
    registry = with_tags(MemoryRegistry(), deletes=False)
    registry.serve(fake_registry)
    one = keep(registry, "one", {"dockwright.slot": "a"}, "code")
    two = keep(registry, "two", {"dockwright.slot": "a"}, "other")
    known = known_of(fake_registry, one=one, two=two)
    gone, warnings = remove(fake_registry, known, known, tmp_path)
    assert gone == []
    assert len(deleted(fake_registry)) == 1
    assert len(warnings) == 1
    assert "deletes no images (405)" in warnings[0]


def test_registry_that_is_gone_is_warned_of(fake_registry: FakeServer, tmp_path: Path) -> None:
    fake_registry.script = lambda _asked: Reply(status=403)
    known = known_of(fake_registry, one="sha256:" + "1" * 64)
    gone, warnings = remove(fake_registry, known, known, tmp_path)
    assert gone == []
    assert f"no images of {fake_registry.name}/app go" in warnings[0]
