"""A site to deploy, the command to deploy it with, and a way to look at what serves."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent.containers import SLOT
from agent.host import ContainerHost, ContainerInfo
from linux.sandbox import Sandbox

DOCKWRIGHT = Path(sys.executable).with_name("dockwright")
SECRET = "s3cret-of-the-shop"

DOCKERFILE = """\
FROM {base}
COPY app /app
EXPOSE 80
CMD ["httpd", "-f", "-p", "80", "-h", "/app"]
"""
SDI = """\
packages: [{id: Shop.Web, version: "[1.0,2.0)", extract-to: app}]
transform:
  substitute: [app/index.html]
  structured: [app/appsettings.json]
"""
STEP = """\
step: source-image
inputs:
  source: Shop.Sdi
  image: "#{Site.Name}"
  registry: "#{Registry}"
  run:
    name: "#{Site.Name}"
    ports: ["127.0.0.1:#{Site.Port}:80"]
    environment: {GREETING: "#{Greeting}"}
    stop-timeout: 1
    health: {http: "#{HealthPath}", timeout: 5, interval: 0.05}
packages: [{id: Shop.Sdi, version: 1.0.0}]
"""


@dataclass
class Site:
    """One application with a bundle, a home and a port of its own. `settings` become `--set`."""

    name: str
    folder: Path
    port: int
    sandbox: Sandbox
    host: ContainerHost
    dockerfile: str = DOCKERFILE
    sdi: str = SDI
    step: str = STEP
    settings: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    """More files of the source package."""
    secret: str = field(default=SECRET, repr=False)
    """The value of the sensitive variable `Shop:Password`."""

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def slot(self) -> str:
        return f"projects-{self.name}/environments-1/untenanted/{self.name}"

    def write(self) -> Path:
        """The bundle as it now is, with its packages."""
        packages = self.folder / "bundle" / "packages"
        shutil.rmtree(packages.parent, ignore_errors=True)
        packages.mkdir(parents=True)
        (packages.parent / "step.yaml").write_text(self.step, encoding="utf-8")
        pack(
            packages / "Shop.Sdi.1.0.0.zip",
            {"Dockerfile": self.dockerfile.format(base=self.sandbox.base_image), "sdi.yaml": self.sdi, **self.extra},
        )
        pack(
            packages / "Shop.Web.1.0.0.zip",
            {
                "index.html": "<h1>#{Octopus.Environment.Name} #{Octopus.Deployment.Id}</h1>\n",
                "appsettings.json": '{\n  // kept\n  "Shop": {"Title": "none", "Password": "none"}\n}\n',
            },
        )
        return packages.parent

    def arguments(self, command: str, deployment: int, *more: str, **settings: str) -> list[str]:
        known = {
            "Octopus.Deployment.Id": f"Deployments-{deployment}",
            "Octopus.Release.Number": "1.0.0",
            "Octopus.Project.Id": f"Projects-{self.name}",
            "Octopus.Environment.Id": "Environments-1",
            "Octopus.Environment.Name": "Test",
            "Site.Name": self.name,
            "Site.Port": str(self.port),
            "Registry": self.sandbox.registry,
            "HealthPath": "/",
            "Greeting": "hello",
            **self.settings,
            **{name.replace("_", "."): value for name, value in settings.items()},
        }
        secrets = self.folder / "secrets.json"
        secrets.write_text(json.dumps([{"k": "Shop:Password", "v": self.secret, "s": True}]), encoding="utf-8")
        arguments = [command, str(self.folder / "bundle"), "--host", self.sandbox.host, "--home", str(self.home)]
        arguments += ["--variables", str(secrets), *more]
        for name, value in known.items():
            arguments += ["--set", f"{name}={value}"]
        return arguments

    def run(self, deployment: int, *more: str, **settings: str) -> Finished:
        """`dockwright run` with JSON output."""
        self.write()
        done = dockwright(*self.arguments("run", deployment, "--output", "json", *more, **settings))
        assert self.secret not in done.stdout + done.stderr
        return done

    def rollback(self, *more: str) -> Finished:
        return dockwright(
            "rollback", "--output", "json", "--home", str(self.home), "--host", self.sandbox.host, *more
        )

    def page(self, path: str = "/") -> str:
        """What the site answers, or "" while it does not."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return ""

    def containers(self) -> list[ContainerInfo]:
        return self.host.find({SLOT: self.slot})

    def serving(self) -> list[str]:
        return [container.name for container in self.containers() if container.running]


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, object]:
        document: dict[str, object] = json.loads(self.stdout)
        return document

    @property
    def result(self) -> list[dict[str, str]]:
        """The answer of a command that was asked something."""
        result = self.document["result"]
        assert isinstance(result, list)
        return result

    @property
    def answer(self) -> dict[str, object]:
        """The same, of a command whose answer has fields."""
        answer = self.document["result"]
        assert isinstance(answer, dict), self.error
        return answer

    @property
    def outputs(self) -> dict[str, str]:
        outputs = self.document["outputs"]
        assert isinstance(outputs, dict)
        return outputs

    @property
    def error(self) -> str:
        return str(self.document["error"])


def dockwright(*arguments: str) -> Finished:
    done = subprocess.run(
        [str(DOCKWRIGHT), *arguments], capture_output=True, text=True, check=False, timeout=200, env=environment()
    )
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr
    return Finished(done.returncode, done.stdout, done.stderr)


def environment() -> dict[str, str]:
    return {**os.environ, "NO_COLOR": "1"}


def guards_of(home: Path) -> list[int]:
    """The processes that watch over runs of this home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            found += [int(process.name)] if {b"agent.slot.guard", str(home).encode()} <= set(words) else []
    return found


def pack(path: Path, files: dict[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6)), text)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
