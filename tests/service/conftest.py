"""A real listener on loopback, a client that it trusts, and bundles whose step does as the test says."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.service.certificate import Certificate, own_certificate
from agent.service.client import AgentClient
from agent.service.peers import Peers, Scope
from agent.service.protocol import DeploymentRequest, DeploymentStatus
from agent.service.push import Blob, prepare
from agent.signing import SIGNATURE, Signers, make_key, sign

WHEN = "2026-01-01T00:00:00+00:00"
STEP = '''
import os, subprocess, sys, time
from agent.step import Outcome

class Script:
    """Runs the Python text of its input; `context` and `report` are there."""

    def run(self, context):
        with context.report.stage("work"):
            exec(context.inputs["do"], {"context": context, "report": context.report})
        return Outcome(outputs={"Answer": "42"})
'''
VARIABLES = {
    "Octopus.Deployment.Id": "Deployments-1",
    "Octopus.Release.Number": "1.0.0",
    "Octopus.Project.Id": "Projects-1",
    "Octopus.Environment.Id": "Environments-1",
}


class Agent:
    """An agent of its own home; `client` is trusted by it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.own = own_certificate(folder / "client", "tests")
        self.key = folder / "signing.pem"
        Signers(self.home / "service" / "signers.json").add("tests", make_key(self.key))
        self.peers = Peers(self.home / "service" / "peers.json")
        self.trust(self.own)
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.port = 0
        self._clients: list[AgentClient] = []

    @property
    def process(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def thumbprint(self) -> str:
        return own_certificate(self.home / "service", "").thumbprint

    def trust(self, certificate: Certificate, *scopes: Scope, name: str = "tests") -> None:
        allowed: tuple[Scope, ...] = scopes or ("deploy", "read", "upload")
        self.peers.add(name, certificate.pem, certificate.thumbprint, allowed, WHEN)

    def start(self, *options: str, files: int = 0) -> None:
        """Listen; at the same port as before, if there was one. It may have so many `files` open, if that is said."""
        command = [sys.executable, "-m", "agent.cli", "listen", "--address", f"127.0.0.1:{self.port}"]
        if files:
            command = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *command]
        errors = (self.folder / "listener.txt").open("a")
        self._process = subprocess.Popen(
            [*command, "--home", str(self.home), *options], stdout=subprocess.PIPE, stderr=errors, text=True
        )
        errors.close()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("listening at "), (self.folder / "listener.txt").read_text()
        self.url = line.split()[-1]
        self.port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """As by SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._end()

    def stop(self) -> int:
        """As by the service manager."""
        assert self._process is not None
        self._process.terminate()
        return self._end()

    def _end(self) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        status = self._process.wait(30)
        self._process.stdout.close()
        self._process = None
        return status

    def client(self, certificate: Certificate | None = None, patience: float = 10) -> AgentClient:
        client = AgentClient(self.url, self.thumbprint, certificate or self.own, patience=patience)
        self._clients.append(client)
        return client

    def bundle(self, do: str, name: str = "bundle") -> tuple[Blob, ...]:
        """A signed bundle whose step runs the Python text `do`."""
        folder = self.folder / name
        (folder / "plugin").mkdir(parents=True)
        with zipfile.ZipFile(folder / "plugin" / "script-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr("script_step.py", STEP)
            wheel.writestr("script-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: script\nVersion: 1.0\n")
            wheel.writestr(
                "script-1.0.dist-info/entry_points.txt", "[dockwright.steps]\nscript = script_step:Script\n"
            )
        lines = "".join(f"    {line}\n" for line in do.splitlines())
        (folder / "step.yaml").write_text(f"step: script\ninputs:\n  do: |\n{lines}")
        (folder / SIGNATURE).write_bytes(sign(folder, name, self.key))
        work = self.folder / f"{name}-work"
        work.mkdir()
        return prepare(folder, work)

    def request(self, client: AgentClient, blobs: tuple[Blob, ...], **more: object) -> DeploymentRequest:
        """What to ask for, once the blobs are there."""
        import base64

        import msgspec

        from agent.service.sealing import seal

        for blob in blobs:
            client.upload(blob.path, blob.sha256)
        entries = [{"k": name, "v": value, "s": False} for name, value in VARIABLES.items()]
        deployment = str(more.pop("id", "D-1"))
        sealed = seal(msgspec.json.encode(entries), client.capabilities().sealing_key, deployment, b"tests")
        variables = base64.b64encode(sealed).decode()
        return DeploymentRequest(bundle=blobs[0].sha256, variables=variables, **more)  # type: ignore[arg-type]

    def run(self, do: str, deployment: str = "D-1", **more: object) -> DeploymentStatus:
        """Push a script and follow it to its end."""
        client = self.client()
        request = self.request(client, self.bundle(do, f"bundle-{deployment}"), id=deployment, **more)
        client.deploy(deployment, request)
        for _ in client.follow(deployment):
            pass
        return client.status(deployment)

    def close(self) -> None:
        for client in self._clients:
            client.close()
        if self._process is not None:
            self.stop()


@pytest.fixture
def make_agent(tmp_path: Path) -> Iterator[Callable[[str], Agent]]:
    made: list[Agent] = []

    def make(name: str) -> Agent:
        made.append(Agent(tmp_path / name))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def agent(make_agent: Callable[[str], Agent]) -> Agent:
    """One that listens."""
    one = make_agent("agent")
    one.start()
    return one
