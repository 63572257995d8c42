"""The build of a deployment: templates, secrets that land nowhere, and Dockerfiles that would let them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.system.shop import SDI, SECRET, Site, dockwright

TEMPLATE = """\
FROM {{ Base }}
RUN --mount=type=secret,id=token wc -c </run/secrets/token >/length
COPY app /app
{% for port in [80] %}EXPOSE {{ port }}
{% endfor %}CMD ["httpd", "-f", "-p", "80", "-h", "/app"]
LABEL release={{ Variables["Octopus.Release.Number"] }}
"""


@pytest.fixture
def templated(site: Site) -> Site:
    site.extra["Web.Dockerfile.j2"] = TEMPLATE
    site.sdi = f'{SDI}build: {{dockerfile: Web.Dockerfile, secrets: {{token: "#{{Shop:Password}}"}}}}\n'
    site.settings["Base"] = site.sandbox.base_image
    return site


def test_secret_of_the_build_lands_nowhere(templated: Site) -> None:
    templated.sdi = templated.sdi.replace("structured: [app/appsettings.json]", "structured: []")
    done = templated.run(1)
    assert done.code == 0, done.stderr
    assert templated.page() == "<h1>Test Deployments-1</h1>\n"
    image = done.outputs["Image"]
    found = templated.host.image(image)
    assert found is not None
    assert found.labels["release"] == "1.0.0"
    surroundings = {"DOCKER_HOST": templated.host.url, "PATH": "/usr/bin:/bin"}
    saved = subprocess.run(["docker", "save", image], env=surroundings, capture_output=True, check=True).stdout
    assert SECRET.encode() not in saved
    assert f"{len(SECRET)}\n".encode() in saved
    assert SECRET not in done.stdout + done.stderr
    assert not any(SECRET.encode() in path.read_bytes() for path in templated.home.rglob("*") if path.is_file())
    assert not list(Path("/dev/shm").glob("dockwright-build-*"))


def test_plan_shows_the_dockerfile_that_a_template_makes(templated: Site) -> None:
    templated.write()
    done = dockwright(*templated.arguments("plan", 1))
    assert done.code == 0, done.stderr
    assert f"+FROM {templated.sandbox.base_image}" in done.stdout
    assert "+LABEL release=1.0.0" in done.stdout
    assert SECRET not in done.stdout + done.stderr


def test_dockerfile_takes_tokens_where_it_is_named_as_a_template(site: Site) -> None:
    site.sdi = site.sdi.replace("substitute: [", "substitute: [Dockerfile, ")
    site.dockerfile += "LABEL environment=#{{Octopus.Environment.Name}}\n"
    done = site.run(1)
    assert done.code == 0, done.stderr
    found = site.host.image(done.outputs["Image"])
    assert found is not None
    assert found.labels["environment"] == "Test"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("ARG SHOP_PASSWORD", "Dockerfile:5: ARG takes 'SHOP_PASSWORD', which is secret"),
        ("RUN login #{{Shop:Password}}", "Dockerfile:5: RUN holds the value of 'Shop:Password', which is secret"),
    ],
)
def test_dockerfile_that_would_bake_a_secret_in_is_refused_before_anything_happens(
    site: Site, change: str, message: str
) -> None:
    site.sdi = site.sdi.replace("substitute: [", "substitute: [Dockerfile, ")
    site.dockerfile += f"{change}\n"
    for done in (site.run(1), dockwright(*site.arguments("plan", 1, "--output", "json"))):
        assert done.code == 7
        assert message in done.error
        assert SECRET not in done.stdout + done.stderr
    assert site.containers() == []


def test_template_with_a_mistake_is_named_with_its_line(templated: Site) -> None:
    templated.extra["Web.Dockerfile.j2"] = TEMPLATE + "LABEL x={{ Nothing }}\n"
    done = templated.run(1)
    assert done.code == 7
    assert "Web.Dockerfile.j2:7: 'Nothing' is undefined" in done.error
