"""Another environment's image: `docker build` + `docker push` against one layer in the registry.

60 MB in 2,000 files, half of it random, and three configuration files, which change in each round. By hand, they
are transformed already, and the whole application is copied in. Ours takes the release's image, whose layers it
has looked into once, and adds what changes. Interleaved; `python -m tests.bench.bench_configuration_layer`.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from agent.images import ConfigureRequest, LayerCache, configure
from agent.registry import ImageReference, RegistryClient
from agent.transform import TransformSettings, transform
from agent.transform.globs import compile_glob
from agent.variables import Variable, Variables
from linux.sandbox import Sandbox, down, up
from tests.bench.installed import compile_packages

ROUNDS = 5
FILES = 2_000
FILE_BYTES = 30_000
DOCKWRIGHT = str(Path(sys.executable).with_name("dockwright"))
BASE = "dockwright-bench-layer/base:1"
CONFIGURATION = ("appsettings.json", "web.config", "conf/service.yaml")
GLOBS = tuple(f"app/{name}" for name in CONFIGURATION)
LEAST_IN_PROCESS, LEAST_AS_COMMAND = 50, 20
MOST_SENT, MOST_KEPT = 15_000, 10_000


@dataclass
class Bench:
    """What all rounds share: the release's image is `repository:release`."""

    folder: Path
    sandbox: Sandbox
    tags: list[str] = field(default_factory=list)

    @property
    def repository(self) -> str:
        return f"{self.sandbox.registry}/dockwright-bench-layer/app"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def kept(self) -> int:
        """Bytes in the registry."""
        return sum(path.stat().st_size for path in (self.folder / "sandbox").rglob("*") if path.is_file())


def main() -> None:
    compile_packages()
    with tempfile.TemporaryDirectory(prefix="dockwright-bench") as folder:
        state = Path(folder) / "sandbox"
        sandbox = up(state, base_image=BASE, say=lambda _line: None)
        bench = Bench(folder=Path(folder), sandbox=sandbox)
        try:
            compare(bench)
        finally:
            for tag in bench.tags:
                subprocess.run(
                    ["docker", "--host", sandbox.host, "rmi", "--force", tag], capture_output=True, check=False
                )
            down(state, say=lambda _line: None)


def compare(bench: Bench) -> None:
    application(bench.folder / "tree")
    build_and_push(bench, "release")
    first = measured(partial(command, bench, 1_000))
    by_hand, in_process, as_command, sent, kept = [], [], [], [], []
    for number in range(ROUNDS):
        configuration(bench.folder / "tree", f"by hand {number}")
        by_hand.append(measured(partial(build_and_push, bench, f"by-hand-{number}")))
        before = bench.kept()
        began = time.perf_counter()
        sent.append(in_this_process(bench, number))
        in_process.append(time.perf_counter() - began)
        kept.append(bench.kept() - before)
        as_command.append(measured(partial(command, bench, number)))
    hand = statistics.median(by_hand)
    told = f"docker build + push {hand:.2f} s {spread(by_hand)}"
    most = f"{max(sent) / 1000:.1f} kB sent (at most {MOST_SENT / 1000:.0f}), {max(kept) / 1000:.1f} kB kept"
    for name, ours, least in (
        ("in process", in_process, LEAST_IN_PROCESS),
        ("whole command", as_command, LEAST_AS_COMMAND),
    ):
        median = statistics.median(ours)
        print(
            f"configuration layer, {name}: {median:.3f} s {spread(ours)}, {told}, {most} (at most "
            f"{MOST_KEPT / 1000:.0f}), at least {least}x: {hand / median:.0f}x"
        )
    print(
        f"configuration layer, first of a release, whose layers are read once: {first:.2f} s, {told}: "
        f"{hand / first:.0f}x"
    )


def in_this_process(bench: Bench, number: int) -> int:
    """Bytes sent."""
    base = ImageReference.parse(f"{bench.repository}:release")
    variables = Variables([Variable(name, value, source="bench") for name, value in values(number).items()])
    settings = TransformSettings(structured=GLOBS[:1] + GLOBS[2:], config_variables=True)
    request = ConfigureRequest(
        base=base,
        target=base.with_tag(f"in-process-{number}"),
        files=GLOBS,
        compile_glob=compile_glob,
        transform=lambda tree: transform(tree, settings, variables),
        work=bench.folder,
        cache=LayerCache(bench.home / "cache" / "images"),
    )
    with RegistryClient(base.registry) as client:
        made = configure(request, client, lambda _line: None)
        assert (made.outcome, len(made.changed)) == ("configured", len(CONFIGURATION))
        return client.traffic.sent


def command(bench: Bench, number: int) -> None:
    arguments = [DOCKWRIGHT, "configure", f"{bench.repository}:release", "--tag", f"command-{number}"]
    arguments += ["--home", str(bench.home), "--config-variables"]
    for glob in GLOBS:
        arguments += ["--file", glob]
    arguments += ["--structured", GLOBS[0], "--structured", GLOBS[2]]
    for name, value in values(number + 500).items():
        arguments += ["--set", f"{name}={value}"]
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)


def values(number: int) -> dict[str, str]:
    return {"Shop:Title": f"Shop {number}", "Mode": f"live {number}", "service:name": f"service {number}"}


def build_and_push(bench: Bench, tag: str) -> None:
    reference = f"{bench.repository}:{tag}"
    bench.tags.append(reference)
    environment = {"DOCKER_BUILDKIT": "0", "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent"}
    for arguments in (["build", "--quiet", "--tag", reference, str(bench.folder / "tree")], ["push", reference]):
        docker = ["docker", "--host", bench.sandbox.host, *arguments]
        subprocess.run(docker, check=True, capture_output=True, env=environment)


def application(tree: Path) -> None:
    """What no deployment changes, and the release's own configuration."""
    chance = random.Random(7)
    words = [bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=7)) + b" " for _ in range(500)]
    for index in range(FILES):
        path = tree / "app" / f"{index % 40}" / f"{index}.dat"
        path.parent.mkdir(parents=True, exist_ok=True)
        half = b"".join(chance.choices(words, k=FILE_BYTES // 8 + 1))[:FILE_BYTES]
        path.write_bytes(chance.randbytes(FILE_BYTES) if index % 2 else half)
    (tree / "Dockerfile").write_text(f"FROM {BASE}\nCOPY app /app\n", encoding="utf-8")
    configuration(tree, "release")


def configuration(tree: Path, value: str) -> None:
    """Three files of some 7 kB together."""
    lines = "".join(f'  "Setting{number}": "value {number}",\n' for number in range(80))
    elements = "".join(f'    <add key="Setting{number}" value="value {number}" />\n' for number in range(40))
    elements += f'    <add key="Mode" value="{value}" />\n'
    entries = "".join(f"  setting{number}: value {number}\n" for number in range(60))
    texts = (
        f'{{\n{lines}  "Shop": {{"Title": "{value}"}}\n}}\n',
        f"<configuration><appSettings>\n{elements}</appSettings></configuration>\n",
        f"service:\n  name: {value}\n{entries}",
    )
    for name, text in zip(CONFIGURATION, texts, strict=True):
        path = tree / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def measured(action: Callable[[], None]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def spread(figures: list[float]) -> str:
    return f"[{min(figures):.2f}..{max(figures):.2f}]"


if __name__ == "__main__":
    main()
