"""The main job: packages become an image of their own, pushed and run in the place of the one before."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from agent.containers import CONFIGURATION, DEPLOYMENT, SLOT
from tests.system.shop import SECRET, Site, dockwright


def test_a_deployment_serves_its_own_configuration_from_its_own_image(site: Site) -> None:
    done = site.run(1, **{"Shop:Title": "The Test Shop"})
    assert done.code == 0, done.stderr
    image = f"{site.sandbox.registry}/{site.name}:1.0.0-deployments-1"
    assert done.outputs["Image"] == image
    assert done.outputs["Registry"] == site.sandbox.registry
    assert done.outputs["Version"] == "1.0.0-deployments-1"
    assert done.outputs["Container"] == f"{site.name}-deployments-1"
    assert site.page() == "<h1>Test Deployments-1</h1>\n"
    assert '{\n  // kept\n  "Shop": {"Title": "The Test Shop", "Password": "' in site.page("/appsettings.json")
    assert SECRET in site.page("/appsettings.json")


def test_the_registry_holds_the_image_under_the_digest_that_is_told(site: Site, tool: Callable[[str], str]) -> None:
    done = site.run(1)
    inspect = [tool("skopeo"), "inspect", "--tls-verify=false", f"docker://{done.outputs['Image']}"]
    found = json.loads(subprocess.run(inspect, capture_output=True, check=True).stdout)
    assert found["Digest"] == done.outputs["Digest"]
    assert found["Labels"]["Octopus.Environment.Name"] == "Test"
    assert found["Labels"][DEPLOYMENT] == "Deployments-1"
    assert found["Labels"]["dockwright.changes"] == "app/appsettings.json (1), app/index.html (2)"


def test_containers_carry_the_labels_by_which_they_are_found(site: Site) -> None:
    site.run(1)
    (container,) = site.containers()
    assert container.labels["Octopus.Deployment.Id"] == "Deployments-1"
    assert container.labels["Octopus.Deployment.Tenant.Id"] == "untenanted"
    assert container.labels["Octopus.Release.Number"] == "1.0.0"
    assert container.labels[SLOT] == site.slot
    assert len(container.labels[CONFIGURATION]) == 64


def test_a_host_without_the_image_gets_the_one_that_another_has_made(site: Site) -> None:
    site.dockerfile += "RUN date +%N > /made\n"
    first = site.run(1)
    site.host.remove(f"{site.name}-deployments-1")
    site.host.remove_image(first.outputs["Image"])
    for image in site.host.images({DEPLOYMENT: "Deployments-1", SLOT: site.slot}):
        site.host.remove_image(image.id)
    assert site.host.image(first.outputs["Image"]) is None
    again = site.run(1)
    assert again.code == 0, again.stderr
    assert again.outputs["Digest"] == first.outputs["Digest"]
    assert "is in the registry already, made from the same packages and configuration" in again.stderr
    assert site.page() == "<h1>Test Deployments-1</h1>\n"


def test_what_was_made_of_other_configuration_is_not_taken_from_the_registry(site: Site) -> None:
    site.dockerfile += "RUN date +%N > /made\n"
    first = site.run(1)
    site.host.remove(f"{site.name}-deployments-1")
    site.host.remove_image(first.outputs["Image"])
    again = site.run(1, **{"Shop:Title": "Another"})
    assert again.code == 0, again.stderr
    assert again.outputs["Digest"] != first.outputs["Digest"]
    assert '"Title": "Another"' in site.page("/appsettings.json")


def test_the_next_deployment_takes_the_place_and_rollback_gives_it_back(site: Site) -> None:
    site.run(1)
    (first,) = site.containers()
    assert site.run(2).code == 0
    assert site.page() == "<h1>Test Deployments-2</h1>\n"
    assert site.serving() == [f"{site.name}-deployments-2"]
    back = site.rollback()
    assert back.code == 0, back.stderr
    assert site.page() == "<h1>Test Deployments-1</h1>\n"
    (now,) = [container for container in site.containers() if container.running]
    assert now.id == first.id
    again = site.rollback()
    assert again.code == 3
    assert "there is nothing before it" in again.error


def test_rollback_pulls_by_digest_when_the_kept_container_and_image_are_gone(site: Site) -> None:
    site.run(1)
    site.run(2)
    site.host.remove(f"{site.name}-deployments-1")
    site.host.remove_image(f"{site.sandbox.registry}/{site.name}:1.0.0-deployments-1")
    back = site.rollback()
    assert back.code == 0, back.stderr
    assert site.page() == "<h1>Test Deployments-1</h1>\n"


def test_rollback_does_not_invent_secrets_that_are_gone_with_the_container(site: Site) -> None:
    site.step = site.step.replace('"#{Greeting}"', '"#{Shop:Password}"')
    site.run(1)
    site.run(2)
    site.host.remove(f"{site.name}-deployments-1")
    back = site.rollback()
    assert back.code == 9
    assert "its environment held secrets, which are not kept (GREETING)" in back.error
    assert site.serving() == [f"{site.name}-deployments-2"]


def test_the_same_deployment_run_twice_has_no_second_effect(site: Site) -> None:
    first = site.run(1)
    (before,) = site.containers()
    second = site.run(1)
    assert second.outputs == first.outputs
    (after,) = site.containers()
    assert (after.id, after.started, after.image_id) == (before.id, before.started, before.image_id)
    history = dockwright("history", "--output", "json", "--home", str(site.home))
    assert [run["state"] for run in history.result] == ["succeeded", "succeeded"]


def test_a_runbook_run_needs_no_release_and_has_its_own_tag(site: Site) -> None:
    done = site.run(
        1,
        Octopus_Deployment_Id="",
        Octopus_Release_Number="",
        Octopus_RunbookRun_Id="RunbookRuns-7",
    )
    assert done.code == 0, done.stderr
    assert done.outputs["Version"] == "1.0.0-runbookruns-7"


def test_without_run_the_image_is_the_result(site: Site) -> None:
    head, _, tail = site.step.partition("  run:\n")
    site.step = head + tail[tail.index("packages:") :]
    done = site.run(1)
    assert done.code == 0, done.stderr
    assert set(done.outputs) == {"Image", "Digest", "Registry", "Version"}
    assert site.containers() == []


def test_a_bundle_may_be_a_zip(site: Site, tmp_path: Path) -> None:
    bundle = site.write()
    packed = dockwright("pack", str(bundle), "--id", "Shop", "--version", "1.0.0", "--into", str(tmp_path))
    assert packed.code == 0, packed.stderr
    arguments = site.arguments("run", 1, "--output", "json")
    arguments[1] = str(tmp_path / "Shop.1.0.0.zip")
    done = dockwright(*arguments)
    assert done.code == 0, done.stderr
    assert site.page() == "<h1>Test Deployments-1</h1>\n"


def test_inside_octopus_outputs_are_service_messages(site: Site) -> None:
    site.write()
    done = dockwright(*site.arguments("run", 1, "--output", "octopus"))
    assert done.code == 0, done.stderr
    assert "##octopus[setVariable name='SW1hZ2U=' value='" in done.stdout.replace('"', "'")


def test_no_secret_is_left_on_the_disk_but_in_the_image(site: Site) -> None:
    assert site.run(1).code == 0
    files = [path for path in site.home.rglob("*") if path.is_file()]
    assert site.home / "journal.db" in files
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert list((site.home / "work").glob("run-*")) == []
