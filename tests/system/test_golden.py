"""A golden image is configured as it is: no Dockerfile, no build, its own files in one layer."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from agent.containers import CONFIGURATION
from agent.host import BuildRequest, ContainerHost, ContainerSpec
from agent.journal import Journal
from agent.labels import BASE, TEMPORARY
from tests.system.images import FILES, Release, build, keep_windows_image
from tests.system.shop import STEP, Finished, Site, dockwright

GOLDEN = """\
golden: {golden}
transform:
  substitute: [/srv/app/conf/*.conf]
  structured: [/app/appsettings.json]
"""
LOOK = (
    "cat /app/appsettings.json /app/conf/site.conf; stat -c '%n %a %u:%g' /srv /srv/app /srv/app/conf /srv/app/*.json"
)
SETTINGS = {"Shop:Title": "Live", "Greeting": "hello"}
RUN = '  run:\n    name: "#{Site.Name}"\n    stop-timeout: 1\n'
STEP_WITH_RUN = STEP[: STEP.index("  run:")] + RUN + STEP[STEP.index("packages:") :]


@pytest.fixture
def release(
    engine_host: ContainerHost, registry: str, base_image: str, unique_name: Callable[[str], str], tmp_path: Path
) -> Release:
    name = unique_name("golden")
    folder = tmp_path / "release"
    folder.mkdir()
    release = Release(host=engine_host, registry=registry, repository=name, folder=folder, unique_name=unique_name)
    build(release, base_image)
    return release


def deploy(
    site: Site, golden: str, *more: str, command: str = "run", extra: dict[str, str] | None = None, sdi: str = GOLDEN
) -> Finished:
    """A package that is `sdi.yaml` alone, and what else is given."""
    packages = site.folder / "bundle" / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    step = site.step if site.step != STEP else STEP_WITH_RUN
    (packages.parent / "step.yaml").write_text(step, encoding="utf-8")
    with zipfile.ZipFile(packages / "Shop.Sdi.1.0.0.zip", "w") as archive:
        archive.writestr("sdi.yaml", sdi.format(golden=golden))
        for name, text in (extra or {}).items():
            archive.writestr(name, text)
    return dockwright(*site.arguments(command, 1, "--output", "json", *more, **SETTINGS))


def test_release_that_was_made_elsewhere_is_deployed_with_variables_only(site: Site, release: Release) -> None:
    environment = RUN + '    environment: {GREETING: "#{Greeting}"}\n'
    site.step = STEP_WITH_RUN.replace(RUN, environment).replace("step: source-image", "step: image-per-release")
    planned = deploy(site, release.image, command="plan", sdi="golden: {golden}\n")
    assert "one layer over" not in str(planned.answer["way"]), planned.stderr
    done = deploy(site, release.image, sdi="golden: {golden}\n")
    assert done.code == 0, done.stderr
    (container,) = site.containers()
    assert container.environment["GREETING"] == "hello"
    made = site.host.image(done.outputs["Image"])
    assert made is not None
    assert made.labels[BASE] in {digest.rpartition("@")[2] for digest in release_digests(site, release)}


def release_digests(site: Site, release: Release) -> tuple[str, ...]:
    image = site.host.image(release.image)
    return image.digests if image else ()


def look(site: Site) -> list[str]:
    """What the image's files are like in the container that runs."""
    (container,) = site.containers()
    said: list[str] = []
    assert site.host.execute(container.id, ("sh", "-c", LOOK), said.append, 20) == 0
    return said


def assert_configured(site: Site) -> None:
    said = look(site)
    assert '  "Shop": {"Title": "Live"}' in said
    assert "greeting=hello" in said
    for line in ("/srv 755 0:0", "/srv/app 750 33:34", "/srv/app/conf 1770 33:34"):
        assert line in said
    assert "/srv/app/appsettings.json 640 33:34" in said


def test_a_golden_image_is_configured_in_its_registry(site: Site, release: Release) -> None:
    done = deploy(site, release.image)
    assert done.code == 0, done.stderr
    assert_configured(site)
    image = site.host.image(done.outputs["Image"])
    assert image is not None
    with closing(Journal(site.home / "journal.db")) as journal:
        (run,) = journal.runs()
        uses = {use.sha256 for use in journal.package_uses()}
    assert image.labels[BASE].removeprefix("sha256:") in uses
    assert image.labels[CONFIGURATION] == run.configuration
    assert run.digest == done.outputs["Digest"]
    assert release.manifest("1.0")["layers"] == release.manifest("1.0.0-deployments-1", site.name)["layers"][:-1]


def test_a_plan_pins_the_golden_image(site: Site, release: Release) -> None:
    done = deploy(site, release.image, command="plan")
    assert done.code == 0, done.stderr
    (file, other) = sorted(file["path"] for file in done.answer["files"])  # type: ignore[attr-defined]
    assert (file, other) == ("app/appsettings.json", "srv/app/conf/site.conf")
    pinned = {package["sha256"] for package in done.answer["packages"]}  # type: ignore[attr-defined]
    (digest,) = {digest for digest in pinned if f"sha256:{digest}"[:19] in str(done.answer["way"])}
    assert str(done.answer["way"]) == f"one layer over {release.image} (sha256:{digest[:12]}): 2 files"


def test_without_a_registry_the_engine_adds_the_layer(site: Site, release: Release) -> None:
    site.step = STEP_WITH_RUN.replace('  registry: "#{Registry}"\n', "  registry-username: jane\n")
    site.host.remove_image(release.image)
    done = deploy(site, release.image)
    assert done.code == 0, done.stderr
    assert "registry-username is given, but no registry; it is not used" in done.stderr
    assert done.outputs["Digest"] == ""
    assert_configured(site)


@pytest.mark.parametrize("pushed", [True, False])
def test_an_image_that_only_the_host_has_is_looked_into_there(
    site: Site, release: Release, unique_name: Callable[[str], str], *, pushed: bool
) -> None:
    if not pushed:
        site.step = STEP_WITH_RUN.replace('  registry: "#{Registry}"\n', "")
    name = f"{unique_name('at-home')}:1"
    site.host.build(BuildRequest(context=release.folder / "context", tags=(name,)), lambda _line: None)
    done = deploy(site, name)
    assert done.code == 0, done.stderr
    assert bool(done.outputs["Digest"]) is pushed
    assert_configured(site)
    assert not [found for found in site.host.find({TEMPORARY: ""}) if found.image in (name, "")]


def test_a_plan_looks_into_an_image_that_only_the_host_has(
    site: Site, release: Release, unique_name: Callable[[str], str]
) -> None:
    name = f"{unique_name('at-home')}:1"
    site.host.build(BuildRequest(context=release.folder / "context", tags=(name,)), lambda _line: None)
    held = f"dockwright-look-{sha256(site.slot.encode()).hexdigest()[:12]}"
    meanwhile = [held, f"{held}-plan-1-ab"]  # a run and another plan look into it too
    for other in meanwhile:
        site.host.create(ContainerSpec(name=other, image=name, labels={TEMPORARY: other}))
    plan = str(site.folder / "plan.json")
    planned = deploy(site, name, "--save", plan, command="plan")
    assert planned.code == 0, planned.stderr
    files = planned.answer["files"]
    assert isinstance(files, list)
    assert sorted(file["path"] for file in files) == ["app/appsettings.json", "srv/app/conf/site.conf"]
    assert sorted(found.name for found in site.host.find({TEMPORARY: ""}) if found.image == name) == meanwhile
    site.host.remove(meanwhile[1])
    done = dockwright(*site.arguments("run", 1, "--output", "json", "--plan", plan, **SETTINGS))
    assert done.code == 0, done.stderr
    assert_configured(site)


def test_what_a_crash_left_is_removed_by_the_next_run(
    site: Site, release: Release, unique_name: Callable[[str], str]
) -> None:
    name = f"{unique_name('at-home')}:1"
    site.host.build(BuildRequest(context=release.folder / "context", tags=(name,)), lambda _line: None)
    left = f"dockwright-look-{sha256(site.slot.encode()).hexdigest()[:12]}"
    site.host.create(ContainerSpec(name=left, image=name, labels={TEMPORARY: left}))
    done = deploy(site, name)
    assert done.code == 0, done.stderr
    assert site.host.inspect(left) is None


def test_a_golden_image_may_be_a_package_of_the_release(site: Site, release: Release) -> None:
    listed = (
        f"packages: [{{id: Shop.Sdi, version: 1.0.0}}, {{id: {release.repository}, version: '1.0', feed: images}}]\n"
    )
    feeds = (
        f'feeds: {{images: {{type: docker, uri: "http://{release.registry}", insecure: true, allow-local: true}}}}\n'
    )
    site.step = STEP_WITH_RUN[: STEP_WITH_RUN.index("packages:")] + listed + feeds
    done = deploy(site, f"{{package: {release.repository}}}")
    assert done.code == 0, done.stderr
    assert_configured(site)


@pytest.mark.parametrize(
    ("sdi", "extra", "told"),
    [
        (GOLDEN, {"Dockerfile": "FROM x\n"}, "has a Dockerfile too"),
        (GOLDEN + "build: {{target: x}}\n", {}, "build takes the platform only"),
        (GOLDEN + "packages: [{{id: X, version: 1.0}}]\n", {}, "remove packages"),
        (GOLDEN + "build: {{platform: linux/s390x}}\n", {}, "linux/s390x is needed"),
        ("golden: {golden}\ntransform: {{structured: [srv/app/missing.json]}}\n", {}, "no file srv/app/missing.json"),
        (
            "golden: {golden}\ntransform: {{structured: [SRV/app/AppSettings.json]}}\n",
            {},
            "it has srv/app/appsettings.json",
        ),
        ("golden: {golden}\ntransform: {{structured: [../app/x.json]}}\n", {}, "names no files of an image"),
        ("golden: {golden}\n", {}, "transform names no files"),
        ("golden: {golden}-missing\ntransform: {{structured: [srv/x.json]}}\n", {}, "is not in the registry"),
        ("golden: '--x {golden}'\ntransform: {{structured: [srv/x.json]}}\n", {}, "is no image reference"),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    site: Site, release: Release, sdi: str, extra: dict[str, str], told: str
) -> None:
    done = deploy(site, release.image, sdi=sdi, extra=extra)
    assert done.code in (3, 5), done.stderr
    assert told in done.error
    assert "\n" not in done.error.strip()


def test_a_windows_image_is_configured_without_any_windows(site: Site, release: Release) -> None:
    keep_windows_image(release, "win")
    site.step = STEP_WITH_RUN.replace(RUN, "")
    sdi = (
        "golden: {golden}\nbuild: {{platform: windows/amd64}}\n"
        "transform: {{config-variables: true, substitute: ['C:\\InetPub\\wwwroot\\web.config']}}\n"
    )
    done = deploy(site, f"{release.registry}/{release.repository}:win", "--set", "Mode=live", sdi=sdi)
    assert done.code == 0, done.stderr
    made = dataclasses.replace(release, repository=site.name)
    layer = {member.name: (member, content) for member, content in made.top_layer("1.0.0-deployments-1")}
    assert layer.keys() == {
        "Files",
        "Files/inetpub",
        "Files/inetpub/wwwroot",
        "Files/inetpub/wwwroot/Web.config",
        "Hives",
    }
    member, content = layer["Files/inetpub/wwwroot/Web.config"]
    assert b'value="live"' in content
    assert member.pax_headers["MSWINDOWS.rawsd"] == "d2ViY29uZmln"
    assert made.config("1.0.0-deployments-1")["os.version"] == "10.0.20348.2340"


def test_the_release_itself_stays_as_it_is(site: Site, release: Release) -> None:
    before = json.dumps(release.manifest("1.0"))
    assert deploy(site, release.image).code == 0
    assert json.dumps(release.manifest("1.0")) == before
    assert FILES["appsettings.json"] in release.in_container(release.image, "cat /app/appsettings.json") + "\n"
