"""Layers to read, from a few words about each entry."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from agent.host import OperatingSystem
from agent.images.contents import Found, Layers, find_files
from agent.images.layer_cache import LayerCache
from agent.registry import Descriptor
from agent.transform.globs import compile_glob

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


def entry(name: str, content: bytes | str | None = b"", **more: object) -> tuple[tarfile.TarInfo, bytes]:
    """A file; with `content` None a folder; `link` and `hard` make links. Other words set the header's fields."""
    header = tarfile.TarInfo(name)
    data = content.encode() if isinstance(content, str) else content or b""
    if content is None:
        header.type, header.mode = tarfile.DIRTYPE, 0o755
    if "link" in more:
        header.type, header.linkname = tarfile.SYMTYPE, str(more.pop("link"))
    if "hard" in more:
        header.type, header.linkname = tarfile.LNKTYPE, str(more.pop("hard"))
    header.size = len(data) if header.type == tarfile.REGTYPE else 0
    for key, value in more.items():
        setattr(header, key, value)
    return header, data


def tar(*entries: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:  # noqa: A002
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for header, data in entries:
            archive.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


def packed(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    return gzip.compress(tar(*entries), mtime=0)


class Image:
    """Layers, the lowest first, that can be looked into; `read` has the numbers of those that were."""

    def __init__(self, folder: Path, *layers: bytes, os: OperatingSystem = "linux") -> None:
        self.folder = folder
        self.blobs = {f"sha256:{hashlib.sha256(layer).hexdigest()}": layer for layer in layers}
        self.descriptors = tuple(
            Descriptor(media_type=GZIP, digest=digest, size=len(layer)) for digest, layer in self.blobs.items()
        )
        self.os: OperatingSystem = os
        self.read: list[int] = []

    @property
    def layers(self) -> Layers:
        return Layers(
            descriptors=self.descriptors,
            read=self._chunks,
            os=self.os,
            cache=LayerCache(self.folder / "cache"),
            log=lambda _line: None,
        )

    def find(self, *globs: str) -> Found:
        return find_files(self.layers, globs, compile_glob)

    def contents(self, *globs: str) -> dict[str, str]:
        return {file.path: file.content.decode() for file in self.find(*globs).files}

    def _chunks(self, descriptor: Descriptor) -> Iterator[bytes]:
        self.read.append(self.descriptors.index(descriptor))
        data = self.blobs[descriptor.digest]
        yield from (data[start : start + 700] for start in range(0, len(data), 700))
