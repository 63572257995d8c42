"""Manifests and indexes: what is read, which platform is chosen, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.errors import DockwrightError, InputError, RegistryError
from agent.registry import RegistryClient
from agent.registry.documents import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Manifest,
    read_document,
)
from tests.registry.fake_server import FakeServer, Reply
from tests.registry.memory_registry import MemoryRegistry, described

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@pytest.fixture
def memory(fake_registry: FakeServer) -> MemoryRegistry:
    memory = MemoryRegistry()
    memory.serve(fake_registry)
    return memory


def client(server: FakeServer) -> RegistryClient:
    return RegistryClient(server.name, pause=lambda _seconds: None)


def manifest(name: str = "x", **more: Any) -> bytes:
    config, layer = described(b"{}", CONFIG), described(name.encode(), LAYER)
    parts = {
        "schemaVersion": 2,
        "config": {"mediaType": config.media_type, "digest": config.digest, "size": config.size},
        "layers": [{"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size}],
    }
    return json.dumps({**parts, **more}).encode()


def entry(digest: str, platform: str, **more: Any) -> dict[str, Any]:
    name, _, version = platform.partition(":")
    os, architecture, *variant = name.split("/")
    about = {"os": os, "architecture": architecture, "os.version": version, "variant": "".join(variant)}
    said = {key: value for key, value in about.items() if value}
    return {"mediaType": OCI_MANIFEST, "digest": digest, "size": 100, "platform": said, **more}


def keep_index(memory: MemoryRegistry, platforms: list[str], kind: str = OCI_INDEX) -> None:
    entries = [entry(memory.keep_manifest("app", name, OCI_MANIFEST, manifest(name)), name) for name in platforms]
    body = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": entries}).encode()
    memory.keep_manifest("app", "1", kind, body)


def test_an_image_is_read_with_its_digest(memory: MemoryRegistry, fake_registry: FakeServer) -> None:
    digest = memory.keep_manifest("app", "1", OCI_MANIFEST, manifest())
    with client(fake_registry) as registry:
        image = registry.image("app", "1")
        assert image is not None
        assert (image.digest, image.body) == (digest, manifest())
        assert image.manifest.media_type == OCI_MANIFEST
        assert registry.image("app", digest) == registry.image("app", digest)
        assert registry.image("app", "2") is None


@pytest.mark.parametrize("kind", [OCI_INDEX, DOCKER_INDEX])
@pytest.mark.parametrize(
    ("platform", "chosen"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/arm/v7", "linux/arm/v7"),
        ("windows/amd64:10.0.17763", "windows/amd64:10.0.17763.5"),
        ("windows/amd64:10.0.20348.1", "windows/amd64:10.0.20348.999"),
        ("windows/amd64", "windows/amd64:10.0.20348.999"),
    ],
)
def test_an_index_gives_the_image_of_the_platform(
    memory: MemoryRegistry, fake_registry: FakeServer, kind: str, platform: str, chosen: str
) -> None:
    windows = ["windows/amd64:10.0.17763.5", "windows/amd64:10.0.20348.999", "windows/amd64:10.0.20348.12"]
    keep_index(memory, ["linux/arm/v7", "linux/amd64", *windows], kind)
    with client(fake_registry) as registry:
        image = registry.image("app", "1", platform)
    assert image is not None
    assert image.body == manifest(chosen)


def test_attestations_are_no_platforms(memory: MemoryRegistry, fake_registry: FakeServer) -> None:
    keep_index(memory, ["linux/amd64", "unknown/unknown"])
    with client(fake_registry) as registry:
        image = registry.image("app", "1")
    assert image is not None
    assert image.body == manifest("linux/amd64")


@pytest.mark.parametrize(
    ("platform", "message"),
    [
        ("", "choose one of linux/amd64, windows/amd64"),
        ("linux/s390x", "there is linux/amd64"),
        ("linux", "there is"),
    ],
)
def test_a_platform_is_never_guessed(
    memory: MemoryRegistry, fake_registry: FakeServer, platform: str, message: str
) -> None:
    keep_index(memory, ["linux/amd64", "windows/amd64"])
    with client(fake_registry) as registry, pytest.raises(InputError, match=message):
        registry.image("app", "1", platform)


def test_an_index_of_indexes_ends_somewhere(memory: MemoryRegistry, fake_registry: FakeServer) -> None:
    digest = memory.keep_manifest("app", "0", OCI_MANIFEST, manifest())
    for level in range(1, 6):
        entries = [entry(digest, "linux/amd64")]
        body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
        digest = memory.keep_manifest("app", str(level), OCI_INDEX, body)
    with client(fake_registry) as registry:
        assert registry.image("app", "3") is not None
        with pytest.raises(RegistryError, match="other indexes only"):
            registry.image("app", "5")


def test_an_index_that_names_itself_is_refused(fake_registry: FakeServer) -> None:
    digest = described(b"loop").digest
    body = json.dumps({"schemaVersion": 2, "manifests": [entry(digest, "linux/amd64")]}).encode()
    said = {"Content-Type": OCI_INDEX, "Docker-Content-Digest": digest}
    fake_registry.script = lambda _asked: Reply(headers=said, body=body)
    with client(fake_registry) as registry, pytest.raises(RegistryError, match="wrong digest"):
        registry.image("app", digest)
    assert len(fake_registry.asked) < 5


def test_a_manifest_that_is_not_what_its_digest_says_is_refused(fake_registry: FakeServer) -> None:
    said = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": described(b"other").digest}
    fake_registry.script = lambda _asked: Reply(headers=said, body=manifest())
    with client(fake_registry) as registry, pytest.raises(RegistryError, match="wrong digest"):
        registry.image("app", "1")


@pytest.mark.parametrize("claimed", [100_000_000, None])
def test_a_manifest_of_100_mb_is_not_read(fake_registry: FakeServer, claimed: int | None) -> None:
    headers = {"Content-Type": OCI_MANIFEST} | ({"Content-Length": str(claimed)} if claimed else {})
    body = b" " * (9_000_000 if claimed is None else 10)
    fake_registry.script = lambda asked: Reply(headers=headers, body=body) if "man" in asked.path else Reply()
    with client(fake_registry) as registry, pytest.raises(RegistryError, match="too large"):
        registry.image("app", "1")
    assert len(fake_registry.asked) < 4


@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", b'{"schemaVersion": 1}', "schema 1"),
        ("application/json", b'{"schemaVersion": 1, "fsLayers": []}', "schema 1"),
        (OCI_MANIFEST, manifest(manifests=[]), "could be one image or an index"),
        (OCI_MANIFEST, manifest(mediaType=DOCKER_MANIFEST), "the registry says"),
        (OCI_MANIFEST, manifest(config={"mediaType": "x/y", "digest": described(b"").digest, "size": 0}), "no cont"),
        (OCI_MANIFEST, manifest(config={"mediaType": CONFIG, "digest": "sha256:../..", "size": 0}), "wrong digest"),
        (
            OCI_MANIFEST,
            manifest(config={"mediaType": CONFIG, "digest": described(b"").digest, "size": -1}),
            "or size",
        ),
        (OCI_MANIFEST, manifest(layers=[1]), "not understood"),
        (OCI_MANIFEST, b'{"schemaVersion": 2}', "not understood"),
        (OCI_MANIFEST, b"[" * 100_000, "not understood"),
        (OCI_MANIFEST, b"\xff\xfe", "not understood"),
        (OCI_INDEX, b'{"schemaVersion": 2, "manifests": []}', "without images"),
        ("text/html", b'{"schemaVersion": 2}', "no image"),
        (OCI_MANIFEST, b'{"schemaVersion": 3}', "no image"),
    ],
)
def test_what_is_no_image_of_today_is_refused_in_one_line(
    fake_registry: FakeServer, content_type: str, body: bytes, message: str
) -> None:
    headers = {"Content-Type": content_type}
    fake_registry.script = lambda asked: Reply(headers=headers, body=body) if "man" in asked.path else Reply()
    with client(fake_registry) as registry, pytest.raises(DockwrightError, match=message) as refused:
        registry.image("app", "1")
    assert "\n" not in str(refused.value)


def test_a_manifest_is_pushed_under_its_tag(memory: MemoryRegistry, fake_registry: FakeServer) -> None:
    with client(fake_registry) as registry:
        digest = registry.put_manifest("app", "1.2", manifest(), OCI_MANIFEST)
        assert registry.manifest_digest("app", "1.2") == digest
    assert memory.manifests["app", "1.2"] == (OCI_MANIFEST, manifest())


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(status=201, headers={"Docker-Content-Digest": described(b"x").digest}), "took another manifest"),
        (Reply(status=413), "larger than the registry takes"),
        (Reply(status=400), "answers 400"),
    ],
)
def test_a_push_that_was_not_taken_as_it_is_fails(fake_registry: FakeServer, reply: Reply, message: str) -> None:
    fake_registry.script = lambda asked: reply if asked.method == "PUT" else Reply()
    with client(fake_registry) as registry, pytest.raises(RegistryError, match=message):
        registry.put_manifest("app", "1", manifest(), OCI_MANIFEST)


@pytest.mark.parametrize("kind", [OCI_MANIFEST, DOCKER_MANIFEST])
def test_a_manifest_survives_being_read_and_written(kind: str) -> None:
    layers = [
        {
            "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "digest": described(b"a").digest,
            "size": 1,
            "urls": ["https://x.test/a"],
            "annotations": {"a": "b"},
        }
    ]
    body = manifest(mediaType=kind, layers=layers, annotations={"c": "d"})
    read = read_document(body, kind, "app")
    assert isinstance(read, Manifest)
    assert read.layers[0].is_foreign
    assert json.loads(read.encoded()) == json.loads(body)
