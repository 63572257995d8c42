"""A layer on top of an image, in its own registry and in another one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import InputError
from agent.images import LayerCache, LayerContent, OnTop, OpenImage, open_image, put_on_top
from agent.images.layer import Attributes, LayerFile
from agent.registry import ImageReference, RegistryClient
from tests.images.no_journal import NoJournal
from tests.images.tars import entry, packed
from tests.registry.fake_server import FakeServer, serving
from tests.registry.memory_registry import MemoryRegistry

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
FILE = LayerFile(path="app/a.json", content=b"{}", attributes=Attributes(mode=0o640, uid=7, gid=8))


@pytest.fixture
def servers() -> Iterator[tuple[FakeServer, FakeServer]]:
    with serving(None) as one, serving(None) as other:
        yield one, other


def keep_image(registry: MemoryRegistry, repository: str, *, layers: int = 1) -> None:
    kept = [registry.keep(repository, packed(entry(f"app/{number}", str(number))), LAYER) for number in range(layers)]
    config = {
        "os": "linux",
        "architecture": "amd64",
        "config": {"Labels": {"kept": "yes"}, "Cmd": ["x"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{number:064x}" for number in range(layers)]},
        "history": [{"created_by": "base"}],
    }
    described = registry.keep(repository, json.dumps(config).encode(), CONFIG)
    listed = [{"mediaType": part.media_type, "digest": part.digest, "size": part.size} for part in kept]
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": described.digest, "size": described.size},
        "layers": listed,
    }
    registry.keep_manifest(repository, "1.0", MANIFEST, json.dumps(document).encode())


def put(
    base: OpenImage, target: ImageReference, source: RegistryClient, where: RegistryClient, *files: LayerFile
) -> str:
    request = OnTop(
        base=base,
        target=target,
        content=LayerContent(files=files),
        labels={"deployment": "7"},
        identity={"configuration": "abc"},
    )
    return put_on_top(request, source, where, NoJournal()).digest


def test_another_registry_gets_the_layers_as_they_are(servers: tuple[FakeServer, FakeServer], tmp_path: Path) -> None:
    one, other = MemoryRegistry(), MemoryRegistry()
    one.serve(servers[0])
    other.serve(servers[1])
    keep_image(one, "app", layers=2)
    with RegistryClient(servers[0].name) as source, RegistryClient(servers[1].name) as target:
        base = open_image(ImageReference.parse(f"{servers[0].name}/app:1.0"), source, "", LayerCache(tmp_path))
        digest = put(base, ImageReference.parse(f"{servers[1].name}/live:7"), source, target, FILE)
        made = open_image(ImageReference.parse(f"{servers[1].name}/live:7"), target, "", LayerCache(tmp_path))
    assert made.image.digest == digest
    assert made.image.manifest.layers[:-1] == base.image.manifest.layers
    assert all(("live", part.digest) in other.blobs for part in made.image.manifest.layers)
    assert made.config.labels == {"kept": "yes", "deployment": "7", "configuration": "abc"}
    assert made.config.diff_ids[:-1] == base.config.diff_ids


def test_labels_alone_make_an_image_without_a_new_layer(
    servers: tuple[FakeServer, FakeServer], tmp_path: Path
) -> None:
    registry = MemoryRegistry()
    registry.serve(servers[0])
    keep_image(registry, "app")
    reference = ImageReference.parse(f"{servers[0].name}/app:1.0")
    with RegistryClient(servers[0].name) as client:
        base = open_image(reference, client, "", LayerCache(tmp_path))
        put(base, reference.with_tag("7"), client, client)
        made = open_image(reference.with_tag("7"), client, "", LayerCache(tmp_path))
    assert made.image.manifest.layers == base.image.manifest.layers
    assert json.loads(made.config_data)["history"][-1]["empty_layer"] is True
    assert made.config.labels["deployment"] == "7"


def test_what_is_there_already_is_left_as_it_is(servers: tuple[FakeServer, FakeServer], tmp_path: Path) -> None:
    registry = MemoryRegistry()
    registry.serve(servers[0])
    keep_image(registry, "app")
    reference = ImageReference.parse(f"{servers[0].name}/app:1.0")
    with RegistryClient(servers[0].name) as client:
        base = open_image(reference, client, "", LayerCache(tmp_path))
        first = put(base, reference.with_tag("7"), client, client, FILE)
        manifests, blobs = dict(registry.manifests), dict(registry.blobs)
        assert put(base, reference.with_tag("7"), client, client, FILE) == first
    assert (registry.manifests, registry.blobs) == (manifests, blobs)


def test_more_layers_than_engines_take_are_refused(servers: tuple[FakeServer, FakeServer], tmp_path: Path) -> None:
    registry = MemoryRegistry()
    registry.serve(servers[0])
    keep_image(registry, "app", layers=125)
    reference = ImageReference.parse(f"{servers[0].name}/app:1.0")
    with RegistryClient(servers[0].name) as client:
        base = open_image(reference, client, "", LayerCache(tmp_path))
        with pytest.raises(InputError, match="125 layers"):
            put(base, reference.with_tag("7"), client, client, FILE)
