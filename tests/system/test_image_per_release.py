"""One image for all environments of a release, and one per deployment without a registry."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.containers import SLOT
from agent.registry import RegistryClient
from tests.system.mortals import PER_DEPLOYMENT
from tests.system.shop import DOCKERFILE, STEP, Site, dockwright, free_port

PER_RELEASE = STEP.replace("step: source-image", "step: image-per-release")
PLAIN = 'packages: [{id: Shop.Web, version: "[1.0,2.0)", extract-to: app}]\n'


@pytest.fixture
def second(site: Site) -> dict[str, str]:
    return {"Octopus.Environment.Id": "Environments-2", "Site.Port": str(free_port())}


def remove_second(site: Site) -> None:
    for container in site.host.find({SLOT: site.slot.replace("environments-1", "environments-2")}):
        site.host.remove(container.id)


def digest_of(site: Site, tag: str) -> str | None:
    with RegistryClient(site.sandbox.registry) as client:
        return client.manifest_digest(site.name, tag)


def test_environments_run_the_very_same_image(site: Site, second: dict[str, str]) -> None:
    site.step, site.sdi = PER_RELEASE, PLAIN
    first = site.run(1, Greeting="one")
    assert first.code == 0, first.stderr
    other = site.run(2, Greeting="two", **second)
    environments = [
        found.environment["GREETING"] for found in site.host.find({}) if found.name.startswith(f"{site.name}-")
    ]
    remove_second(site)
    assert other.code == 0, other.stderr
    assert first.outputs["Digest"] == other.outputs["Digest"] == digest_of(site, "1.0.0-deployments-2")
    assert sorted(environments) == ["one", "two"]
    verified = dockwright("image", "verify", other.outputs["Image"], "--home", str(site.home))
    assert verified.code == 0, verified.stdout


def test_files_of_an_environment_are_one_layer_on_the_release(site: Site, second: dict[str, str]) -> None:
    site.step = PER_RELEASE
    assert site.run(1, **{"Shop:Title": "First"}).code == 0
    done = site.run(2, **{"Shop:Title": "Second"})
    assert done.code == 0, done.stderr
    assert "Second" in site.page("/appsettings.json")
    with RegistryClient(site.sandbox.registry) as client:
        one, two = (client.image(site.name, f"1.0.0-deployments-{number}") for number in (1, 2))
    assert one is not None
    assert two is not None
    assert one.manifest.layers[:-1] == two.manifest.layers[:-1]


def test_a_release_is_made_before_it_is_deployed(site: Site) -> None:
    site.sdi = PLAIN
    site.step = PER_RELEASE[: PER_RELEASE.index("  run:")] + PER_RELEASE[PER_RELEASE.index("packages:") :]
    made = site.run(1)
    assert made.code == 0, made.stderr
    assert "-pkg-" in made.outputs["Image"]
    site.step = PER_RELEASE
    done = site.run(2, Greeting="hello")
    assert done.code == 0, done.stderr
    assert done.outputs["Digest"] == made.outputs["Digest"]


def test_two_deployments_at_once_build_the_release_once(site: Site, second: dict[str, str], tmp_path: Path) -> None:
    site.step, site.sdi, site.dockerfile = (
        PER_RELEASE,
        PLAIN,
        DOCKERFILE + "RUN head -c 16 /dev/urandom > /made; sleep 1\n",
    )
    site.write()
    commands = [site.arguments("run", 1, "--output", "json"), site.arguments("run", 2, "--output", "json", **second)]
    with ThreadPoolExecutor() as threads:
        done = list(threads.map(lambda arguments: dockwright(*arguments), commands))
    remove_second(site)
    assert [one.code for one in done] == [0, 0], [one.stderr for one in done]
    assert len({one.outputs["Digest"] for one in done}) == 1


def test_a_plan_says_what_configures_the_release(site: Site) -> None:
    site.step = PER_RELEASE
    site.write()
    planned = dockwright(*site.arguments("plan", 1, "--output", "json")).answer
    assert planned["step"] == "image-per-release"
    assert "one layer over" in str(planned["way"])
    site.sdi = PLAIN
    site.write()
    planned = dockwright(*site.arguments("plan", 1, "--output", "json")).answer
    assert "the release's own image" in str(planned["way"])


def test_what_needs_an_image_for_each_environment_is_refused(site: Site) -> None:
    site.step, site.dockerfile = PER_RELEASE, DOCKERFILE + "RUN true\n"
    done = site.run(1)
    assert done.code == 3
    assert "cannot serve every environment: Dockerfile:5: RUN could see app/appsettings.json" in done.stderr
    assert digest_of(site, "1.0.0-deployments-1") is None


def test_a_hook_that_could_change_the_release_is_refused(site: Site) -> None:
    site.step, site.extra = PER_RELEASE, {"Deploy.sh": "echo changed > app/index.html\n"}
    done = site.run(1)
    assert done.code == 3
    assert "Deploy.sh could change what goes into the release's image" in done.stderr
    site.extra = {"PostDeploy.sh": "echo done\n"}
    assert site.run(1).code == 0


def test_release_needs_a_registry(site: Site) -> None:
    site.step = PER_RELEASE.replace('  registry: "#{Registry}"\n', "")
    done = site.run(1)
    assert done.code == 3
    assert "inputs.registry" in done.stderr


def test_rollback_of_an_environment_needs_no_registry(site: Site) -> None:
    site.step, site.sdi = PER_RELEASE, PLAIN
    first = site.run(1, Greeting="one")
    assert site.run(2, Greeting="two").code == 0
    site.host.remove(first.outputs["Container"])
    back = site.rollback()
    assert back.code == 0, back.stderr
    (serving,) = [found for found in site.containers() if found.running]
    assert serving.environment["GREETING"] == "one"


def test_host_builds_a_package_that_brings_its_dockerfile(site: Site) -> None:
    site.step = PER_DEPLOYMENT.replace("Shop.Sdi, version", "Shop.Sdi, name: Sdi, version")
    done = site.run(1, **{"Shop:Title": "First"})
    assert done.code == 0, done.stderr
    assert done.outputs["Image"] == f"docker.io/library/{site.name}:1.0.0-deployments-1"
    assert done.outputs["Digest"] == ""
    assert site.run(2, **{"Shop:Title": "Second"}).code == 0
    assert "Second" in site.page("/appsettings.json")
    assert site.rollback().code == 0
    assert "First" in site.page("/appsettings.json")


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (
            PER_DEPLOYMENT[: PER_DEPLOYMENT.index("  run:")] + "packages: [{id: Shop.Sdi, version: 1.0.0}]",
            "inputs.run",
        ),
        (PER_DEPLOYMENT + "  - {id: Shop.Web, version: 1.0.0}\n", "Shop.Sdi, Shop.Web"),
        (PER_DEPLOYMENT.replace("inputs:", "inputs:\n  registry: r:5000"), "registry"),
    ],
)
def test_wrong_inputs_are_named(site: Site, step: str, message: str) -> None:
    site.step = step.replace(
        "packages: [{id: Shop.Sdi, version: 1.0.0}]\n  -", "packages:\n  - {id: Shop.Sdi, version: 1.0.0}\n  -"
    )
    done = site.run(1)
    assert done.code == 3, json.dumps(done.stderr)
    assert message in done.stderr
