"""Images in a registry in memory, and what the journal knows of them."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from agent.images.layer_cache import LayerCache
from agent.images.opened import OpenImage, open_image
from agent.journal import Journal, NewRun
from agent.registry import ImageReference, RegistryClient
from tests.registry.fake_server import FakeServer
from tests.registry.memory_registry import MemoryRegistry

MASK = "********"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class Images:
    """One repository, `shop`, of a registry; `home` has the journal and the cache."""

    def __init__(self, server: FakeServer, home: Path) -> None:
        self.registry = MemoryRegistry()
        self.registry.serve(server)
        self.server = server
        self.home = home

    def name(self, tag: str) -> str:
        return f"{self.server.name}/shop:{tag}"

    def keep(
        self,
        tag: str,
        *layers: bytes,
        labels: Mapping[str, str] | None = None,
        env: tuple[str, ...] = (),
        diff_ids: tuple[str, ...] = (),
        os: str = "linux",
        media_type: str = LAYER,
    ) -> str:
        """Push an image of gzipped layers; its digest."""
        kept = [self.registry.keep("shop", layer, media_type) for layer in layers]
        config = {
            "os": os,
            "architecture": "amd64",
            "created": "2026-01-02T03:04:05.123456789Z",
            "config": {"Labels": dict(labels or {}), "Env": list(env)},
            "rootfs": {"type": "layers", "diff_ids": list(diff_ids or map(content_digest, layers))},
        }
        described = self.registry.keep("shop", json.dumps(config).encode(), CONFIG)
        parts = [
            {"mediaType": each.media_type, "digest": each.digest, "size": each.size} for each in (described, *kept)
        ]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": parts[0], "layers": parts[1:]}
        return self.registry.keep_manifest("shop", tag, MANIFEST, json.dumps(manifest).encode())

    def client(self) -> RegistryClient:
        return RegistryClient(self.server.name, pause=lambda _seconds: None)

    def opened(self, tag: str, client: RegistryClient) -> OpenImage:
        cache = LayerCache(self.home / "cache" / "images")
        return open_image(ImageReference.parse(self.name(tag)), client, "", cache)

    def deployed(
        self,
        tag: str,
        digest: str,
        *,
        configuration: str = "",
        packages: tuple[tuple[str, str, str, str, int], ...] = (),
        secrets: tuple[tuple[str, str, str], ...] = (),
    ) -> None:
        """Note in the journal that Deployments-1 pushed it."""
        journal = Journal(self.home / "journal.db")
        facts = {"release": "1.0", "project": "p", "environment": "e", "tenant": "", "step": "s", "host": "unix://"}
        entry = journal.begin(NewRun(id="Deployments-1", kind="deployment", slot="p/e/untenanted/s", **facts))
        entry.packages(packages)
        entry.changes([(feature, file, "line 1", rule, MASK, MASK) for feature, file, rule in secrets])
        entry.note(image=self.name(tag), digest=digest, configuration=configuration)
        entry.finish("succeeded")
        journal.close()

    def reads(self) -> int:
        """How many blobs were asked for."""
        return sum(asked.method == "GET" and "/blobs/" in asked.path for asked in self.server.asked)


def content_digest(layer: bytes) -> str:
    return f"sha256:{hashlib.sha256(gzip.decompress(layer)).hexdigest()}"
