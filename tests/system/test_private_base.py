"""The login that a step is given reaches private base images, in its registry and in no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.host import BuildRequest, ContainerHost
from tests.registry.fake_server import FakeServer
from tests.registry.private_registry import JANE, guarding
from tests.system.shop import Site

SOURCE_IMAGE = """\
step: source-image
inputs:
  source: Shop.Sdi
  image: "#{Site.Name}"
  registry: "#{Door}/team"
  registry-username: jane
  registry-password: "#{Shop:Password}"
packages: [{id: Shop.Sdi, version: 1.0.0}]
"""
RUN_IMAGE = """\
step: run-image
inputs:
  source: Shop.Sdi
  registry: "#{Door}"
  registry-username: jane
  registry-password: "#{Shop:Password}"
  script: {sh: "echo served by $(id -u)"}
packages: [{id: Shop.Sdi, version: 1.0.0}]
"""

IMAGE_PER_DEPLOYMENT = """\
step: image-per-deployment
inputs:
  image: "#{Site.Name}"
  registry: "#{Door}"
  registry-username: jane
  registry-password: "#{Shop:Password}"
  run: {name: "#{Site.Name}", command: [sleep, "600"], stop-timeout: 0, health: {watch: 0}}
packages: [{id: Shop.Sdi, version: 1.0.0}]
"""


@pytest.fixture
def door(registry: str) -> Iterator[FakeServer]:
    with guarding(registry) as door:
        yield door


@pytest.fixture
def private(
    site: Site, engine_host: ContainerHost, door: FakeServer, unique_name: Callable[[str], str], tmp_path: Path
) -> Site:
    """A site whose base image is behind the door, and not on the host."""
    base = f"{door.name}/{unique_name('base')}:1"
    context = tmp_path / "base"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM {site.sandbox.base_image}\nLABEL made=here\n", encoding="utf-8")
    engine_host.build(BuildRequest(context=context, tags=(base,)), lambda _line: None)
    engine_host.push(base, JANE, lambda _done, _total: None)
    engine_host.remove_image(base)
    site.dockerfile = f"FROM {base}\nCOPY . /srv/\n"
    site.settings = {"Door": door.name}
    site.secret = JANE.password
    return site


@pytest.mark.parametrize("step", [SOURCE_IMAGE, RUN_IMAGE], ids=["source-image", "run-image"])
def test_base_image_of_the_steps_registry_is_had_with_the_steps_login(step: str, private: Site) -> None:
    private.step = step
    done = private.run(1)
    assert done.code == 0, done.stderr
    if step == SOURCE_IMAGE:
        assert done.outputs["Image"].startswith(f"{private.settings['Door']}/team/")


def test_base_image_is_had_with_the_login_of_a_step_that_pushes_nothing(
    private: Site, engine_host: ContainerHost
) -> None:
    private.step = IMAGE_PER_DEPLOYMENT
    done = private.run(1)
    assert done.code == 0, done.stderr
    made = engine_host.image(done.outputs["Image"])
    assert made is not None
    assert made.labels["made"] == "here"
    assert done.outputs["Digest"] == ""
    container = engine_host.inspect(done.outputs["Container"])
    assert container is not None
    assert container.running


@pytest.mark.parametrize("step", [RUN_IMAGE, IMAGE_PER_DEPLOYMENT], ids=["run-image", "image-per-deployment"])
def test_the_login_goes_to_no_other_registry(step: str, private: Site) -> None:
    private.step = step.replace("#{Door}", "elsewhere.example.com")
    done = private.run(1)
    assert done.code == 7, done.stderr
    assert "Dockerfile:1: FROM" in done.error
