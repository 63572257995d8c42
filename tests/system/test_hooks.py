"""The hooks of a source package, with the real engine."""

from __future__ import annotations

import subprocess

from tests.system.shop import SECRET, STEP, Site, dockwright

HOOKED = {
    "PreDeploy.sh": "mkdir app-extra\nset_octopusvariable Title 'Set by #{Octopus.Environment.Name}'\n",
    "Deploy.py": (
        "open('made.txt', 'w').write('made for ' + get_octopusvariable('Title'))\n"
        "set_octopusvariable('Key', octopusvariables['Shop:Password'], sensitive=True)\n"
    ),
    "PostDeploy.sh": (
        'echo "posted $(get_octopusvariable "Octopus.Action[$(get_octopusvariable Site.Name)].Output.Container")"\n'
        "echo fine > report.txt; new_octopusartifact report.txt\n"
    ),
    "DeployFailed.sh": 'echo "sorry: $(get_octopusvariable OctopusLastErrorMessage)"\n',
}
DOCKERFILE = 'FROM {base}\nCOPY . /app\nCMD ["httpd", "-f", "-p", "80", "-h", "/app"]\n'
SDI = """\
packages: [{id: Shop.Web, version: "[1.0,2.0)", extract-to: app}]
transform: {structured: [app/appsettings.json]}
"""


def hooked(site: Site, **more: str) -> Site:
    site.dockerfile, site.sdi = DOCKERFILE, SDI
    site.settings["Shop:Title"] = "#{Title}"
    site.settings["HealthPath"] = "/made.txt"
    site.extra = {**HOOKED, **{name.replace("_", "."): text for name, text in more.items()}}
    return site


def test_hooks_run_at_their_time_and_are_not_in_the_image(site: Site) -> None:
    done = hooked(site).run(1)
    assert done.code == 0, done.stderr
    assert site.page("/made.txt") == "made for Set by Test"
    assert '"Title": "Set by Test"' in site.page("/app/appsettings.json")
    assert f"posted {site.name}-deployments-1" in done.stderr
    assert done.outputs["Title"] == "Set by #{Octopus.Environment.Name}"
    assert done.outputs["Key"] == "********"
    assert SECRET not in done.stdout + done.stderr
    (container,) = site.containers()
    listing = subprocess.run(
        ["docker", "exec", container.id, "ls", "/app"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert sorted(listing) == ["Dockerfile", "app", "app-extra", "made.txt", "sdi.yaml"]
    assert (site.home / "artifacts" / "deployments-1" / "report.txt").read_text(encoding="utf-8") == "fine\n"


def test_a_package_with_postdeploy_alone_is_made_into_layers_without_it(site: Site) -> None:
    site.dockerfile, site.sdi = DOCKERFILE, SDI
    site.extra = {"PostDeploy.sh": "echo posted"}
    site.settings |= {"Shop:Title": "Plain", "HealthPath": "/app/"}
    done = site.run(1)
    assert done.code == 0, done.stderr
    assert "one layer over" in done.stderr
    assert "posted" in done.stderr
    assert site.page("/PostDeploy.sh") == ""
    assert '"Title": "Plain"' in site.page("/app/appsettings.json")


def test_if_postdeploy_fails_the_old_container_serves_again(site: Site) -> None:
    assert hooked(site).run(1).code == 0
    (first,) = site.containers()
    done = hooked(site, PostDeploy_sh="fail_step 'the smoke test is red'").run(2)
    assert done.code == 14
    assert "PostDeploy.sh failed: the smoke test is red" in done.error
    assert "sorry: PostDeploy.sh failed: the smoke test is red" in done.stderr
    assert [container.id for container in site.containers() if container.running] == [first.id]
    assert site.page("/made.txt") == "made for Set by Test"
    history = dockwright("history", "--output", "json", "--home", str(site.home))
    assert [run["state"] for run in history.result] == ["failed", "succeeded"]


def test_hooks_can_be_turned_off_for_packages_that_are_not_trusted(site: Site) -> None:
    hooked(site, PreDeploy_sh="exit 1")
    site.step = STEP.replace("inputs:\n", "inputs:\n  hooks: false\n")
    site.settings |= {"Shop:Title": "Plain", "HealthPath": "/app/"}
    done = site.run(1)
    assert done.code == 0, done.stderr
    assert '"Title": "Plain"' in site.page("/app/appsettings.json")


def test_a_plan_names_the_hooks_and_runs_none(site: Site) -> None:
    hooked(site, Deploy_py="", Deploy_sh="touch " + str(site.folder / "canary"))
    site.write()
    done = dockwright(*site.arguments("plan", 1, "--output", "json"))
    assert done.code == 0, done.stderr
    assert done.answer["hooks"] == ["PreDeploy.sh", "Deploy.sh", "PostDeploy.sh"]
    assert not (site.folder / "canary").exists()
    kept = site.folder / "plan.json"
    assert dockwright(*site.arguments("plan", 1, "--save", str(kept))).code == 0
