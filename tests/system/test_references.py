"""What a deployment is made of besides its source: images by reference, and the cache after it."""

from __future__ import annotations

import json

from agent.journal import Journal
from tests.system.shop import SDI, STEP, Site, dockwright, pack


def test_an_image_reference_is_pinned_and_known_to_the_configuration(site: Site) -> None:
    first = site.run(1)
    assert first.code == 0, first.stderr
    site.step = (
        STEP + 'feeds: {hub: {type: docker, uri: "docker://#{Registry}", allow-local: true},'
        " built-in: {type: folder, uri: ./packages}}\n"
    )
    other = f"{{name: other, id: {site.name}, version: 1.0.0-deployments-1, feed: hub}}"
    site.sdi = SDI.replace("packages: [", f"packages: [{other}, ")
    done = site.run(2, **{"Shop:Title": "#{Octopus/Action/Package[other]/Digest}".replace("/", ".")})
    assert done.code == 0, done.error
    assert first.outputs["Digest"] in site.page("/appsettings.json")
    journal = Journal(site.home / "journal.db")
    digests = {use.package: use.sha256 for use in journal.package_uses() if use.deployment == "Deployments-2"}
    journal.close()
    assert f"sha256:{digests[site.name]}" == first.outputs["Digest"]
    assert sorted(digests) == sorted(["Shop.Sdi", "Shop.Web", site.name])


def test_a_good_deployment_leaves_the_cache_as_small_as_it_may_be(site: Site) -> None:
    old = site.folder / "old"
    old.mkdir()
    for number in range(7):
        pack(old / f"Old.1.0.{number}.zip", {"version": str(number)})
    names = [f"Old@1.0.{number}" for number in range(7)]
    assert dockwright("acquire", *names, "--feed", f"folder:{old}", "--home", str(site.home)).code == 0
    assert site.run(1, "--cache-keep", "2").code == 0
    assert [name.split()[0] for name in _cached(site)] == ["Old", "Old", "Shop.Sdi", "Shop.Web"]


def test_a_cache_that_cannot_be_pruned_fails_no_deployment(site: Site) -> None:
    stray = site.home / f"packages/sha256/ab/{'ab' * 32}.zip"
    stray.mkdir(parents=True)
    done = site.run(1)
    assert done.code == 0, done.stderr
    assert "the package cache was not pruned" in json.dumps(done.document)
    assert site.page() != ""


def _cached(site: Site) -> list[str]:
    shown = dockwright("packages", "--output", "json", "--home", str(site.home)).result
    return sorted(name for one in shown for name in one["names"])
