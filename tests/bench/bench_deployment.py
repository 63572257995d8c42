"""A whole deployment against the same typed by hand: `python -m tests.bench.bench_deployment`.

60 MB in 2,000 files, half of it random. By hand: `docker build`, `docker push`, stop and remove the old container,
`docker run`, from a folder that is unpacked and configured already. Ours: the whole of `dockwright run`, from the
packages. Interleaved, with new content in each round, so that neither finds the other's layers.
"""

from __future__ import annotations

import io
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from linux.sandbox import Sandbox, down, up

ROUNDS = 6
FILES = 2_000
FILE_BYTES = 30_000
Deploy = Callable[[Path, Sandbox, int, int], None]
DOCKWRIGHT = str(Path(sys.executable).with_name("dockwright"))
BASE = "dockwright-bench/base:1"
NAME = "dockwright-bench"

STEP = """\
step: source-image
inputs:
  source: App.Sdi
  image: dockwright-bench/ours
  registry: "#{Registry}"
  run:
    name: dockwright-bench-ours
    ports: ["127.0.0.1:#{Port}:80"]
    stop-timeout: 1
    health: {http: /, interval: 0.02}
    keep: 0
packages: [{id: App.Sdi, version: 1.0.0}]
"""
DOCKERFILE = f'FROM {BASE}\nCOPY app /app\nCMD ["httpd", "-f", "-p", "80", "-h", "/app"]\n'


def main() -> None:
    with tempfile.TemporaryDirectory(prefix=NAME) as folder:
        state = Path(folder) / "sandbox"
        sandbox = up(state, base_image=BASE, say=lambda _line: None)
        try:
            compare(Path(folder), sandbox)
        finally:
            clean_up(sandbox)
            down(state, say=lambda _line: None)


def compare(folder: Path, sandbox: Sandbox) -> None:
    figures: dict[Deploy, list[float]] = {deploy_by_hand: [], deploy_with_dockwright: []}
    ports: dict[Deploy, int] = {deploy: free_port() for deploy in figures}
    for number in range(ROUNDS + 1):
        # Every second build takes an engine half a second longer, whoever asks for it: so the order turns.
        for deploy in list(figures)[:: -1 if number % 2 else 1]:
            content(folder, seed=number + 1000 * list(figures).index(deploy))
            seconds = measured(partial(deploy, folder, sandbox, ports[deploy], number))
            figures[deploy] += [seconds] if number else []  # the first round warms both
    theirs, ours = figures.values()
    mine, hand = statistics.median(ours), statistics.median(theirs)
    print(
        f"deployment of 60 MB, 2,000 files: dockwright run {mine:.2f} s {spread(ours)}, "
        f"docker build + push + run {hand:.2f} s {spread(theirs)}, ratio {mine / hand:.2f}x (at most 1.15x)"
    )


def deploy_by_hand(folder: Path, sandbox: Sandbox, port: int, number: int) -> None:
    image = f"{sandbox.registry}/dockwright-bench/theirs:{number}"
    container = f"{NAME}-theirs"
    docker("build", "--quiet", "--tag", image, str(folder / "tree"), host=sandbox.host)
    docker("push", "--quiet", image, host=sandbox.host)
    if number:
        docker("stop", "--time", "1", container, host=sandbox.host)
        docker("rm", container, host=sandbox.host)
    docker("run", "--detach", "--name", container, "--publish", f"127.0.0.1:{port}:80", image, host=sandbox.host)
    wait_for(port)


def deploy_with_dockwright(folder: Path, sandbox: Sandbox, port: int, number: int) -> None:
    settings = {
        "Octopus.Deployment.Id": f"Deployments-{number}",
        "Octopus.Release.Number": "1.0.0",
        "Octopus.Project.Id": "Projects-Bench",
        "Octopus.Environment.Id": "Environments-1",
        "Registry": sandbox.registry,
        "Port": str(port),
    }
    command = [DOCKWRIGHT, "run", str(folder / "bundle"), "--host", sandbox.host, "--home", str(folder / "home")]
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wait_for(port)


def content(folder: Path, seed: int) -> None:
    """The same application as a folder and as a bundle with two packages."""
    tree, packages = folder / "tree", folder / "bundle" / "packages"
    for path in (tree, packages):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    chance = random.Random(seed)
    words = [bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=7)) + b" " for _ in range(500)]
    (folder / "bundle" / "step.yaml").write_text(STEP, encoding="utf-8")
    (tree / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    with zipfile.ZipFile(packages / "App.Sdi.1.0.0.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Dockerfile", DOCKERFILE)
        archive.writestr("sdi.yaml", "packages: [{id: App, version: 1.0.0, extract-to: app}]\n")
    with zipfile.ZipFile(packages / "App.1.0.0.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for index in range(FILES):
            name = f"{index % 40}/{index}.dat" if index else "index.html"
            data = chance.randbytes(FILE_BYTES) if index % 2 else text(chance, words)
            path = tree / "app" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            archive.writestr(name, data)


def text(chance: random.Random, words: list[bytes]) -> bytes:
    buffer = io.BytesIO()
    while buffer.tell() < FILE_BYTES:
        buffer.write(b"".join(chance.choices(words, k=100)))
    return buffer.getvalue()[:FILE_BYTES]


def docker(*arguments: str, host: str) -> None:
    command = ["docker", "--host", host, *arguments]
    environment = {"DOCKER_BUILDKIT": "0", "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent"}
    subprocess.run(command, check=True, capture_output=True, env=environment)


def clean_up(sandbox: Sandbox) -> None:
    """Only what carries the bench's own name."""
    listed = subprocess.run(
        ["docker", "--host", sandbox.host, "ps", "-aq", "--filter", f"name={NAME}"],
        capture_output=True,
        text=True,
        check=True,
    )
    for container in listed.stdout.split():
        docker("rm", "--force", container, host=sandbox.host)
    images = subprocess.run(
        ["docker", "--host", sandbox.host, "images", "--format", "{{.Repository}}:{{.Tag}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    for image in images.stdout.split():
        if "/dockwright-bench/" in image:
            docker("rmi", "--force", image, host=sandbox.host)


def wait_for(port: int) -> None:
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
                return
        except OSError:
            time.sleep(0.02)


def measured(deploy: Callable[[], None]) -> float:
    """Seconds. The disk is quiet before, so that nobody pays for writing what somebody else left to be written."""
    os.sync()
    began = time.perf_counter()
    deploy()
    return time.perf_counter() - began


def spread(figures: list[float]) -> str:
    return f"[{min(figures):.2f}..{max(figures):.2f}]"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
