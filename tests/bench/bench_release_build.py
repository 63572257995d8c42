"""An environment's image through the engine, and the release's own: against `docker build` + `docker push`.

The application of `bench_configuration_layer`: 60 MB, three configuration files that change. Every environment: the
engine puts one layer on the release's image, which is looked into once, and pushes it. First of a release: other
content each time; the release's image is built and pushed, its layers in the registry are read once, and a layer is
put on them there.
Interleaved; `python -m tests.bench.bench_release_build`.
"""

from __future__ import annotations

import re
import shutil
import statistics
import tempfile
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from agent.host import ContainerHost, Credentials, HostAddress, ImageInfo
from agent.images import (
    BuildSettings,
    Doubt,
    Found,
    ImageRequest,
    LayerCache,
    LayerContent,
    OnTop,
    PushRequest,
    Rewritten,
    build,
    exactly,
    find_files,
    open_image,
    push,
    put_on_top,
    rewritten,
)
from agent.images.host_files import find_host_files, unstarted
from agent.images.host_layer import HostLayer, build_on_top
from agent.images.known_files import known_files
from agent.registry import ImageReference, RegistryClient
from linux.local import connect
from linux.sandbox import down, up
from tests.bench.bench_configuration_layer import (
    BASE,
    CONFIGURATION,
    Bench,
    application,
    build_and_push,
    configuration,
    measured,
    spread,
)

ROUNDS = 4
LEAST_THROUGH_ENGINE = 15
MOST_FOR_FIRST = 1.15


class NoJournal:
    """The measured parts are the same with one."""

    def effect(self, stage: str, kind: str, name: str) -> nullcontext[None]:  # noqa: ARG002
        return nullcontext()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="dockwright-bench") as folder:
        state = Path(folder) / "sandbox"
        sandbox = up(state, base_image=BASE, say=lambda _line: None)
        bench = Bench(folder=Path(folder), sandbox=sandbox)
        host = connect(HostAddress(url=sandbox.host))
        try:
            compare(bench, host)
        finally:
            for tag in bench.tags:
                host.remove_image(tag)
            down(state, say=lambda _line: None)


def compare(bench: Bench, host: ContainerHost) -> None:
    tree = bench.folder / "tree"
    application(tree)
    shutil.copytree(tree / "app", bench.folder / "release", ignore=shutil.ignore_patterns("*.dat"))
    build_and_push(bench, "release")
    by_hand, through_engine, first = [], [], []
    for number in range(ROUNDS):
        configuration(tree, f"by hand {number}")
        by_hand.append(measured(partial(build_and_push, bench, f"by-hand-{number}")))
        through_engine.append(measured(partial(add_layer, bench, host, number)))
        configuration(tree, "release")
        (tree / "app" / "0" / "0.dat").write_bytes(f"release {number}".encode())
        first.append(measured(partial(make_release, bench, host, number)))
    hand, engine, release = map(statistics.median, (by_hand, through_engine, first))
    told = f"docker build + push {hand:.2f} s {spread(by_hand)}"
    print(
        f"configuration layer, through the engine: {engine:.3f} s {spread(through_engine)}, {told}, "
        f"at least {LEAST_THROUGH_ENGINE}x: {hand / engine:.0f}x"
    )
    print(
        f"first build and push: {release:.2f} s {spread(first)}, {told}, ratio {release / hand:.2f}x "
        f"(at most {MOST_FOR_FIRST}x)"
    )


def add_layer(bench: Bench, host: ContainerHost, number: int) -> None:
    reference = f"{bench.repository}:engine-{number}"
    bench.tags.append(reference)
    image = host.image(f"{bench.repository}:release")
    assert image is not None
    wanted = files(f"engine {number}", bench)

    def look() -> Found:
        with unstarted(image.id, "dockwright-bench-look", host, NoJournal()) as container:
            return find_host_files(container, tuple(wanted), exactly, host)

    found = known_files(image.id, tuple(wanted), LayerCache(bench.home / "cache" / "images"), look)
    layer = HostLayer(
        base=image,
        reference=reference,
        content=certain(rewritten(found, wanted, "linux")),
        labels={},
        work=bench.folder,
    )
    made = build_on_top(layer, host, NoJournal(), lambda _line: None)
    push_image(bench, host, made, reference)


def make_release(bench: Bench, host: ContainerHost, number: int) -> None:
    release = ImageReference.parse(f"{bench.repository}:first-{number}")
    bench.tags.append(str(release))
    request = ImageRequest(
        tree=bench.folder / "tree",
        reference=str(release),
        settings=BuildSettings(),
        identity={"release": str(number)},
        labels={},
    )
    made = build(request, host, NoJournal(), lambda _line: None, lambda _line: None)
    push_image(bench, host, made, str(release))
    with RegistryClient(release.registry) as client:
        cache = LayerCache(bench.home / "cache" / "images")
        base = open_image(release, client, "", cache)
        wanted = files(f"first {number}", bench)
        found = find_files(base.layers(client, cache, lambda _line: None), tuple(wanted), exactly)
        top = OnTop(
            base=base,
            target=release.with_tag(f"first-{number}-live"),
            labels={},
            content=certain(rewritten(found, wanted, "linux")),
        )
        put_on_top(top, client, client, NoJournal())


def files(value: str, bench: Bench) -> dict[str, Rewritten]:
    """What transforming them comes to, which is measured elsewhere."""
    originals = {name: (bench.folder / "release" / name).read_bytes() for name in CONFIGURATION}
    return {
        f"app/{name}": Rewritten(before=data, after=re.sub(b"release", value.encode(), data))
        for name, data in originals.items()
    }


def certain(content: LayerContent | Doubt) -> LayerContent:
    assert isinstance(content, LayerContent), content
    return content


def push_image(bench: Bench, host: ContainerHost, image: ImageInfo, reference: str) -> None:
    nobody: Credentials | None = None
    request = PushRequest(reference=reference, image=image, credentials=nobody, in_registry=lambda: None)
    push(request, host, NoJournal(), lambda _done, _total: None)


if __name__ == "__main__":
    main()
