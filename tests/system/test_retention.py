"""What goes from the host and from the registry, and what a rollback still finds there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.registry import RegistryClient
from tests.system.growth import MOST, PER_RELEASE, grow, remove_containers
from tests.system.shop import STEP, Finished, Site, dockwright

KEPT = "  retention: {images: 2, registry: 2}\npackages:"


@pytest.fixture
def shop(site: Site) -> Iterator[Site]:
    site.step = STEP.replace("health:", "keep: 1\n    health:").replace("packages:", KEPT)
    yield site
    remove_containers(site)


def tags(site: Site) -> list[str]:
    with RegistryClient(site.sandbox.registry) as client:
        return sorted(tag.replace("1.0.0-", "").partition("pkg-")[0] for tag in client.tags(site.name))


def on_host(site: Site) -> list[str]:
    found = site.host.images({"Octopus.Project.Id": f"Projects-{site.name}"})
    names = [tag.rpartition(":")[2] for image in found for tag in image.tags]
    return sorted(name.replace("1.0.0-", "") for name in names if "-pkg-" not in name)


def prune(site: Site, *more: str) -> Finished:
    return dockwright(
        "prune", "--output", "json", "--home", str(site.home), "--host", site.sandbox.host, "--keep", "0", *more
    )


def test_after_a_deployment_images_beyond_the_count_go(shop: Site) -> None:
    for number in (1, 2, 3, 4):
        done = shop.run(number, **{"Shop:Title": f"Title {number}"})
        assert done.code == 0, done.stderr
        assert "warning" not in done.stderr
    assert tags(shop) == ["", "deployments-3", "deployments-4"]
    assert on_host(shop) == ["deployments-3", "deployments-4"]
    for container in shop.containers():
        if "deployments-3" in container.name:
            shop.host.remove(container.id)
    shop.host.remove_image(f"{shop.sandbox.registry}/{shop.name}:1.0.0-deployments-3")
    back = shop.rollback()
    assert back.code == 0, back.stderr
    assert "Title 3" in shop.page("/appsettings.json")


def test_registries_are_pruned_after_a_look(shop: Site) -> None:
    shop.step = PER_RELEASE
    for number in (1, 2, 3):
        assert shop.run(number, **{"Shop:Title": f"Title {number}"}).code == 0
    preview = prune(shop, "--registry")
    assert preview.code == 0, preview.stderr
    assert tags(shop) == ["", "deployments-1", "deployments-2", "deployments-3"]
    for container in shop.containers():
        if not container.running:
            shop.host.remove(container.id)
    done = prune(shop, "--registry", "--yes")
    assert done.code == 0, done.stderr
    assert tags(shop) == ["", "deployments-3"]
    assert prune(shop, "--images", "--yes").code == 0
    assert on_host(shop) == ["deployments-3"]
    assert "Title 3" in shop.page("/appsettings.json")


def test_a_registry_grows_by_kilobytes(site: Site, sandbox_state: Path) -> None:
    try:
        growth = grow(site, sandbox_state / "registry", 10)
    finally:
        remove_containers(site)
    assert growth.images == 11
    assert growth.more < MOST / 10


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_a_count_that_is_none_is_refused(site: Site, count: str) -> None:
    site.step = STEP.replace("packages:", f"  retention: {{images: {count}}}\npackages:")
    done = site.run(1)
    assert done.code == 3
    assert "retention.images" in done.stderr
