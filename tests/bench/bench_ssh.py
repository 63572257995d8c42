"""A build with a 50 MB context over SSH, against `docker -H ssh://`: `python -m tests.bench.bench_ssh`.

Both by the classic builder, to a real sshd on loopback, connecting included; interleaved, with new content in each
round. The unix socket's time is told beside them.
"""

from __future__ import annotations

import getpass
import os
import random
import statistics
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path
from uuid import uuid4

from agent.host import BuildRequest, HostAddress
from agent.plugins import connect
from linux.sandbox import down, up
from linux.sandbox.engine_call import EngineSocket
from tests.conftest import remove_leftovers
from tests.ssh.server import SSHServer, serving

ROUNDS = 5
CONTEXT_BYTES = 50_000_000
PREFIX = f"dockwright-bench-{uuid4().hex[:10]}"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name)
        sandbox = up(folder / "state", base_image=f"{PREFIX}/base:1", say=lambda _line: None)
        (folder / "context").mkdir()
        (folder / "context" / "Dockerfile").write_text(f"FROM {sandbox.base_image}\nCOPY data /\n", encoding="utf-8")
        (folder / "sshd").mkdir()
        try:
            with serving(folder / "sshd", sandbox.host.removeprefix("unix://")) as server:
                compare(folder, server, sandbox.host)
        finally:
            remove_leftovers(EngineSocket(sandbox.host.removeprefix("unix://")), PREFIX, sandbox.base_image)
            down(folder / "state", say=lambda _line: None)


def compare(folder: Path, server: SSHServer, local: str) -> None:
    urls = {"ssh api": server.url(engine="api"), "ssh cli": server.url(engine="cli"), "unix": local}
    path = wrapped_ssh(folder, server)
    figures: dict[str, list[float]] = {name: [] for name in (*urls, "docker -H ssh")}
    chance = random.Random(7)
    for number in range(ROUNDS + 1):
        for name, seconds in figures.items():
            (folder / "context" / "data").write_bytes(chance.randbytes(CONTEXT_BYTES))
            os.sync()
            began = time.perf_counter()
            if name in urls:
                build(urls[name], folder / "context")
            else:
                build_by_docker(server, folder / "context", path)
            if number:  # the first round warms them all
                seconds.append(time.perf_counter() - began)
    told = ", ".join(f"{name} {statistics.median(each):.2f} s {spread(each)}" for name, each in figures.items())
    ratio = statistics.median(figures["docker -H ssh"]) / statistics.median(figures["ssh api"])
    print(f"50 MB context over SSH: {told}; rate {ratio:.2f} of docker -H ssh:// (at least 1)")


def build(url: str, context: Path) -> None:
    with closing(connect(HostAddress(url=url))) as host:
        host.build(BuildRequest(context=context, tags=(f"{PREFIX}/app:1",)), lambda _line: None)


def build_by_docker(server: SSHServer, context: Path, path: str) -> None:
    host = f"ssh://{getpass.getuser()}@127.0.0.1:{server.port}"
    subprocess.run(
        ["docker", "-H", host, "build", "--quiet", "--tag", f"{PREFIX}/app:1", str(context)],
        check=True,
        capture_output=True,
        env=os.environ | {"PATH": path, "DOCKER_BUILDKIT": "0"},
    )


def wrapped_ssh(folder: Path, server: SSHServer) -> str:
    """A PATH on which ssh knows the server and its key, as docker has no way to say."""
    (folder / "bin").mkdir()
    wrapper = folder / "bin" / "ssh"
    options = f"-i {server.key} -o UserKnownHostsFile={server.known_hosts} -o IdentitiesOnly=yes"
    wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh {options} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    return f"{folder / 'bin'}:{os.environ['PATH']}"


def spread(figures: list[float]) -> str:
    return f"[{min(figures):.2f}..{max(figures):.2f}]"


if __name__ == "__main__":
    main()
