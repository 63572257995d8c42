"""A registry in memory, as the distribution project describes one, that can be told to misbehave."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from agent.registry import Descriptor
from tests.registry.fake_server import Asked, FakeServer, Reply


@dataclass
class MemoryRegistry:
    """`faults` is asked before each answer, and gives another one or None. `mounts` says whether mounting works."""

    faults: Callable[[Asked], Reply | None] = lambda _asked: None
    mounts: bool = True
    smallest_piece: int = 0
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)

    def serve(self, server: FakeServer) -> None:
        server.script = lambda asked: self.faults(asked) or self.answer(asked)

    def keep(self, repository: str, content: bytes, media_type: str = "application/octet-stream") -> Descriptor:
        descriptor = described(content, media_type)
        self.blobs[repository, descriptor.digest] = content
        return descriptor

    def keep_manifest(self, repository: str, tag: str, media_type: str, body: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self.manifests[repository, tag] = self.manifests[repository, digest] = (media_type, body)
        return digest

    def answer(self, asked: Asked) -> Reply:
        parts = urlsplit(asked.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/v2/":
            return Reply(body=b"{}")
        if found := re.fullmatch(r"/v2/(.+)/manifests/(.+)", parts.path):
            return self._manifest(asked, found[1], found[2])
        if found := re.fullmatch(r"/v2/(.+)/blobs/uploads/(.*)", parts.path):
            return self._upload(asked, found[1], found[2], query)
        if found := re.fullmatch(r"/v2/(.+)/blobs/(.+)", parts.path):
            return self._blob(asked, found[1], found[2])
        return Reply(status=404)

    def _manifest(self, asked: Asked, repository: str, selector: str) -> Reply:
        if asked.method == "PUT":
            digest = self.keep_manifest(repository, selector, asked.headers["Content-Type"], asked.body)
            return Reply(status=201, headers={"Docker-Content-Digest": digest})
        if (repository, selector) not in self.manifests:
            return Reply(status=404)
        media_type, body = self.manifests[repository, selector]
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        return Reply(headers={"Content-Type": media_type, "Docker-Content-Digest": digest}, body=body)

    def _blob(self, asked: Asked, repository: str, digest: str) -> Reply:
        content = self.blobs.get((repository, digest))
        if content is None:
            return Reply(status=404)
        if start := re.fullmatch(r"bytes=(\d+)-\d*", asked.headers.get("Range", "")):
            begin = int(start[1])
            said = {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"}
            return Reply(status=206, headers=said, body=content[begin:])
        return Reply(body=content)

    def _upload(self, asked: Asked, repository: str, upload: str, query: dict[str, str]) -> Reply:
        match asked.method:
            case "POST":
                return self._begin(repository, query)
            case "DELETE":
                self.uploads.pop(upload, None)
                return Reply(status=204)
            case _ if upload not in self.uploads:
                return Reply(status=404)
            case "GET":
                return self._progress(repository, upload, 204)
            case "PATCH":
                return self._piece(asked, repository, upload)
            case _:
                return self._end(asked, repository, upload, query["digest"])

    def _begin(self, repository: str, query: dict[str, str]) -> Reply:
        source = query.get("from", ""), query.get("mount", "")
        if self.mounts and source in self.blobs:
            self.blobs[repository, source[1]] = self.blobs[source]
            return Reply(status=201, headers={"Docker-Content-Digest": source[1]})
        upload = f"upload-{len(self.uploads)}"
        self.uploads[upload] = b""
        return self._progress(repository, upload, 202)

    def _progress(self, repository: str, upload: str, status: int) -> Reply:
        last = max(0, len(self.uploads[upload]) - 1)
        headers = {"Location": f"/v2/{repository}/blobs/uploads/{upload}?state=x", "Range": f"0-{last}"}
        if self.smallest_piece:
            headers["OCI-Chunk-Min-Length"] = str(self.smallest_piece)
        return Reply(status=status, headers=headers)

    def _piece(self, asked: Asked, repository: str, upload: str) -> Reply:
        start = int(asked.headers["Content-Range"].partition("-")[0])
        if start != len(self.uploads[upload]):
            return Reply(status=416)
        self.uploads[upload] += asked.body
        return self._progress(repository, upload, 202)

    def _end(self, asked: Asked, repository: str, upload: str, digest: str) -> Reply:
        content = self.uploads.pop(upload) + asked.body
        if described(content).digest != digest:
            return Reply(status=400)
        self.blobs[repository, digest] = content
        return Reply(status=201, headers={"Docker-Content-Digest": digest})


def described(content: bytes, media_type: str = "application/octet-stream") -> Descriptor:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Descriptor(media_type=media_type, digest=digest, size=len(content))
