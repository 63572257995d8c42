"""The image of a release is built once; each environment's is one layer on top of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.containers import CONFIGURATION, DEPLOYMENT
from agent.host import BuildRequest, ContainerHost, ContainerSpec
from agent.labels import BASE, PACKAGE
from agent.registry import RegistryClient
from tests.system.shop import DOCKERFILE, STEP, Site, dockwright, free_port

OWNED = """\
FROM {base}
COPY --chown=33:34 app /srv/app
COPY app/appsettings.json /etc/shop.json
WORKDIR /srv
EXPOSE 80
CMD ["httpd", "-f", "-p", "80", "-h", "/srv/app"]
"""
LISTING = (
    "cd /; for f in $(find . -xdev ! -path './proc*' ! -path './sys*' ! -path './dev*' ! -path './bin/*' "
    "! -path './etc/host*' ! -name resolv.conf ! -name mtab ! -name .dockerenv | sort); do "
    "stat -c '%n %a %u:%g %F' $f; [ -f $f ] && md5sum $f; done; true"
)
WITHOUT_REGISTRY = STEP.replace('  registry: "#{Registry}"\n', "")


def in_image(host: ContainerHost, image: str, name: str, script: str = LISTING) -> list[str]:
    host.create(ContainerSpec(name=name, image=image, restart="no", entrypoint=("sh", "-c"), command=(script,)))
    try:
        host.start(name)
        assert host.wait(name, 60) == 0
        return host.logs(name, 10_000)
    finally:
        host.remove(name)


def kept(storage: Path) -> int:
    return sum(path.stat().st_size for path in storage.rglob("*") if path.is_file())


def release_tags(site: Site) -> list[str]:
    found = site.host.images({PACKAGE: ""})
    return [tag for image in found for tag in image.tags if f"{site.name}:" in tag and "-pkg-" in tag]


def plan_way(site: Site, deployment: int) -> str:
    site.write()
    planned = dockwright(*site.arguments("plan", deployment, "--output", "json"))
    return str(planned.answer["way"])


def test_the_next_environment_costs_the_registry_kilobytes(site: Site, sandbox_state: Path) -> None:
    assert site.run(1, **{"Shop:Title": "First"}).code == 0
    (release,) = release_tags(site)
    before = kept(sandbox_state / "registry")
    production = {"Octopus.Environment.Id": "Environments-2", "Site.Port": str(free_port())}
    done = site.run(2, **{"Shop:Title": "Second", **production})
    assert done.code == 0, done.stderr
    for container in site.host.find({DEPLOYMENT: "Deployments-2", "Octopus.Project.Id": f"Projects-{site.name}"}):
        site.host.remove(container.id)
    assert kept(sandbox_state / "registry") - before < 15_000
    assert release_tags(site) == [release]
    with RegistryClient(site.sandbox.registry) as client:
        first, second, base = (
            client.image(site.name, tag)
            for tag in ("1.0.0-deployments-1", "1.0.0-deployments-2", release.rpartition(":")[2])
        )
        assert first is not None
        assert second is not None
        assert base is not None
    assert second.manifest.layers[:-1] == first.manifest.layers[:-1] == base.manifest.layers
    assert second.digest == done.outputs["Digest"]
    image = site.host.image(done.outputs["Image"])
    assert image is not None
    assert image.labels[BASE] == base.digest
    assert len(image.labels[CONFIGURATION]) == 64
    assert image.labels["Octopus.Environment.Id"] == "Environments-2"


def test_a_plan_says_which_way_and_why(site: Site) -> None:
    way = plan_way(site, 1)
    assert way.startswith(f"one layer over {site.name}:1.0.0-pkg-")
    assert way.endswith(": 2 files; no RUN sees them")
    site.dockerfile = DOCKERFILE + "RUN true\n"
    assert plan_way(site, 1) == "full build: Dockerfile:5: RUN could see app/appsettings.json"


@pytest.mark.parametrize("step", [STEP, WITHOUT_REGISTRY])
def test_both_ways_make_the_same_file_system(site: Site, step: str, unique_name: Callable[[str], str]) -> None:
    site.step, site.dockerfile = step, OWNED
    layered = site.run(1, **{"Shop:Title": "Same", "Octopus.Environment.Name": "E"})
    assert layered.code == 0, layered.stderr
    one = in_image(site.host, layered.outputs["Image"], unique_name("look"))
    assert release_tags(site)
    site.dockerfile = OWNED.replace("WORKDIR", "RUN true\nWORKDIR")
    whole = site.run(
        2, **{"Shop:Title": "Same", "Octopus.Environment.Name": "E", "Octopus.Deployment.Id": "Deployments-1"}
    )
    assert whole.code == 0, whole.stderr
    two = in_image(site.host, whole.outputs["Image"], unique_name("look"))
    assert one == two
    assert "./srv/app/appsettings.json 644 33:34 regular file" in one
    assert "./etc/shop.json 644 0:0 regular file" in one
    assert '"Title": "Same"' in site.page("/appsettings.json")


def test_the_same_content_is_not_made_again(site: Site) -> None:
    first = site.run(1, **{"Shop:Title": "Same"})
    again = site.run(1, **{"Shop:Title": "Same"})
    assert again.code == 0, again.stderr
    assert again.outputs["Digest"] == first.outputs["Digest"]


def test_a_base_with_triggers_is_found_out_and_the_whole_is_built(
    site: Site, tmp_path: Path, unique_name: Callable[[str], str]
) -> None:
    context = tmp_path / "base"
    context.mkdir()
    (context / "Dockerfile").write_text(
        f"FROM {site.sandbox.base_image}\nONBUILD COPY app/appsettings.json /trigger/\n"
        "ONBUILD RUN md5sum /trigger/appsettings.json > /trigger/sum\n",
        encoding="utf-8",
    )
    base = f"{unique_name('triggers')}:1"
    site.host.build(BuildRequest(context=context, tags=(base,)), lambda _line: None)
    site.dockerfile = DOCKERFILE.replace("{base}", base)
    done = site.run(1, **{"Shop:Title": "Triggered"})
    assert done.code == 0, done.stderr
    assert release_tags(site) == []
    said = in_image(
        site.host, done.outputs["Image"], unique_name("look"), "cd /trigger; cat appsettings.json; md5sum -c sum"
    )
    assert "Triggered" in "".join(said)
    assert said[-1].endswith("OK")


def test_a_file_that_the_base_leads_elsewhere_is_configured_where_it_really_is(
    site: Site, tmp_path: Path, unique_name: Callable[[str], str]
) -> None:
    context = tmp_path / "base"
    context.mkdir()
    dockerfile = f"FROM {site.sandbox.base_image}\nRUN mkdir -p /data/site && ln -s /data/site /app\n"
    (context / "Dockerfile").write_text(dockerfile, encoding="utf-8")
    base = f"{unique_name('links')}:1"
    site.host.build(BuildRequest(context=context, tags=(base,)), lambda _line: None)
    site.dockerfile = DOCKERFILE.replace("{base}", base).replace("COPY app /app", "COPY app /app/")
    done = site.run(1, **{"Shop:Title": "Linked"})
    assert done.code == 0, done.stderr
    said = in_image(site.host, done.outputs["Image"], unique_name("look"), "cat /data/site/appsettings.json")
    assert "Linked" in "".join(said)
    assert "Linked" in site.page("/appsettings.json")


def test_a_rollback_pulls_a_layered_image_by_its_digest(site: Site) -> None:
    first = site.run(1, **{"Shop:Title": "First"}, Greeting="one")
    assert site.run(2, **{"Shop:Title": "Second"}, Greeting="two").code == 0
    for container in site.containers():
        if container.name == first.outputs["Container"]:
            site.host.remove(container.id)
    site.host.remove_image(first.outputs["Image"])
    back = site.rollback()
    assert back.code == 0, back.stderr
    assert "First" in site.page("/appsettings.json")


def test_a_step_without_a_container_needs_no_pull(site: Site) -> None:
    site.step = STEP[: STEP.index("  run:")] + STEP[STEP.index("packages:") :]
    assert site.run(1, **{"Shop:Title": "First"}).code == 0
    done = site.run(2, **{"Shop:Title": "Second"})
    assert done.code == 0, done.stderr
    assert done.outputs["Digest"].startswith("sha256:")
    assert site.host.image(done.outputs["Image"]) is None


def test_a_build_with_secrets_is_done_once_too(site: Site) -> None:
    site.dockerfile = DOCKERFILE.replace(
        "COPY", "RUN --mount=type=secret,id=nuget test -s /run/secrets/nuget && touch /built\nCOPY", 1
    )
    site.sdi += 'build: {secrets: {nuget: "#{Nuget.Password}"}}\n'
    assert site.run(1, **{"Shop:Title": "First"}, Nuget_Password="one").code == 0
    (release,) = release_tags(site)
    done = site.run(2, **{"Shop:Title": "Second"}, Nuget_Password="two")
    assert done.code == 0, done.stderr
    assert release_tags(site) == [release]
    assert "Second" in site.page("/appsettings.json")
