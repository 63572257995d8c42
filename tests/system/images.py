"""Release images to configure, and a look into what became of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.host import BuildRequest, ContainerHost, ContainerSpec
from agent.registry import Descriptor, RegistryClient
from tests.system.shop import Finished, dockwright

DOCKERFILE = """\
FROM {base}
COPY app /srv/app
RUN chown -R 33:34 /srv/app && chmod 0750 /srv/app && chmod 0640 /srv/app/appsettings.json \\
 && chmod 1770 /srv/app/conf && ln -s /srv/app /app
USER 33:34
CMD ["sleep", "1000"]
"""
FILES = {
    "appsettings.json": '{\n  // kept\n  "Shop": {"Title": "none"}\n}\n',
    "conf/site.conf": "greeting=#{Greeting}\n",
    "other.txt": "other\n",
    "web.config": '<configuration>\n  <appSettings><add key="Mode" value="dev" /></appSettings>\n</configuration>\n',
    "web.Production.config": (
        '<configuration xmlns:xdt="http://schemas.microsoft.com/XML-Document-Transform">\n'
        '  <appSettings xdt:Transform="SetAttributes(debug)" debug="false" />\n</configuration>\n'
    ),
}
GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"


@dataclass(frozen=True, kw_only=True)
class Release:
    """A release's image in the registry, with a home of its own for `dockwright configure`."""

    host: ContainerHost
    registry: str
    repository: str
    folder: Path
    unique_name: Callable[[str], str]

    @property
    def image(self) -> str:
        return f"{self.registry}/{self.repository}:1.0"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def configure(self, tag: str, *more: str, image: str = "", **variables: str) -> Finished:
        """`dockwright configure` with JSON output; `Shop_Title` sets `Shop:Title`."""
        arguments = [
            "configure",
            image or self.image,
            "--tag",
            tag,
            "--home",
            str(self.home),
            "--output",
            "json",
            *more,
        ]
        for name, value in variables.items():
            arguments += ["--set", f"{name.replace('_', ':')}={value}"]
        return dockwright(*arguments)

    def in_container(self, image: str, script: str) -> str:
        """What a shell in the image, as the real engine pulls it, has to say."""
        self.host.pull(image, None, lambda _done, _total: None)
        name = self.unique_name("look")
        command = ("sh", "-c", script)
        self.host.create(ContainerSpec(name=name, image=image, restart="no", command=command))
        try:
            self.host.start(name)
            self.host.wait(name, 30)
            return "\n".join(self.host.logs(name, 1_000))
        finally:
            self.host.remove(name)
            self.host.remove_image(image)

    def manifest(self, tag: str, repository: str = "") -> dict[str, Any]:
        with RegistryClient(self.registry) as client:
            image = client.image(repository or self.repository, tag)
        assert image is not None
        document: dict[str, Any] = json.loads(image.body)
        return document

    def config(self, tag: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.blob(self.manifest(tag)["config"]))
        return document

    def top_layer(self, tag: str) -> list[tuple[tarfile.TarInfo, bytes]]:
        """Its entries, in order."""
        data = self.blob(self.manifest(tag)["layers"][-1])
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            found = [(member, archive.extractfile(member)) for member in archive]
            return [(member, file.read() if file else b"") for member, file in found]

    def blob(self, part: dict[str, Any]) -> bytes:
        descriptor = Descriptor(media_type=part["mediaType"], digest=part["digest"], size=part["size"])
        with RegistryClient(self.registry) as client:
            return client.load_blob(self.repository, descriptor, 10_000_000)


def build(release: Release, base_image: str) -> None:
    """Build the release's image on the real engine, and push it."""
    context = release.folder / "context"
    for name, text in FILES.items():
        path = context / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (context / "Dockerfile").write_text(DOCKERFILE.format(base=base_image), encoding="utf-8")
    release.host.build(BuildRequest(context=context, tags=(release.image,)), lambda _line: None)
    release.host.push(release.image, None, lambda _done, _total: None)


def keep_windows_image(release: Release, tag: str) -> None:
    """An image such as Windows makes them, put into the registry by hand: one layer with `Files` and `Hives`."""
    layer = windows_layer()
    config = {
        "architecture": "amd64",
        "os": "windows",
        "os.version": "10.0.20348.2340",
        "config": {"Cmd": ["c:\\windows\\system32\\cmd.exe"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "Apply image"}],
    }
    with RegistryClient(release.registry) as client:
        parts = {}
        for kind, content in ((DOCKER_CONFIG, json.dumps(config).encode()), (GZIP, gzip.compress(layer, mtime=0))):
            part = Descriptor(media_type=kind, digest=digest(content), size=len(content))
            client.upload_blob(release.repository, part, lambda content=content: [content])  # type: ignore[misc]
            parts[kind] = {"mediaType": kind, "digest": part.digest, "size": part.size}
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        manifest = {"schemaVersion": 2, "mediaType": kind, "config": parts[DOCKER_CONFIG], "layers": [parts[GZIP]]}
        client.put_manifest(release.repository, tag, json.dumps(manifest).encode(), kind)


def windows_layer() -> bytes:
    """`web.config` has an owner of its own; its folder has one too."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content, owner in (
            ("Files", None, "cm9vdA=="),
            ("Files/inetpub", None, "aW5ldHB1Yg=="),
            ("Files/inetpub/wwwroot", None, "d3d3cm9vdA=="),
            ("Files/inetpub/wwwroot/Web.config", FILES["web.config"].encode(), "d2ViY29uZmln"),
            ("Hives", None, "aGl2ZXM="),
        ):
            member = tarfile.TarInfo(name)
            member.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            member.size = len(content or b"")
            member.pax_headers = {"MSWINDOWS.rawsd": owner, "MSWINDOWS.fileattr": "32"}
            archive.addfile(member, io.BytesIO(content or b""))
    return buffer.getvalue()


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
