"""Dockerfiles from jinja2 templates."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import BuildError
from agent.images.dockerfile_template import render_dockerfile
from agent.images.settings import BuildSettings
from agent.variables import Variables

VARIABLES = Variables.of(
    {
        "Base": "alpine",
        "Octopus.Release.Number": "1.2.#{Patch}",
        "Patch": "3",
        "Password": "hunter2",
        "Loop": "#{Loop}",
    },
    sensitive=("Password",),
)


def rendered(tree: Path, template: str, settings: BuildSettings | None = None) -> str:
    settings = settings or BuildSettings()
    path = tree / f"{settings.dockerfile}.j2"
    path.parent.mkdir(exist_ok=True)
    path.write_text(template, encoding="utf-8")
    made = render_dockerfile(tree, settings, VARIABLES)
    assert made is not None
    assert (tree / made.path).read_text(encoding="utf-8") == made.text
    return made.text


def test_variables_are_there_by_any_name_in_any_case_and_evaluated(tmp_path: Path) -> None:
    template = (
        "FROM {{ Base }}\n"
        '{% if Variables["octopus.release.number"] == "1.2.3" %}'
        'LABEL v={{ Variables["Octopus.Release.Number"] }}{% endif %}\n'
        '{% for port in [80, 81] %}EXPOSE {{ port }} {{ BASE|upper }}\n{% endfor %}{{ Nothing|default("none") }}'
        ' {{ Variables["No.Such"]|default("none") }} {{ Variables.get("No.Such", "x") }} {{ "Base" in Variables }}\n'
    )
    assert rendered(tmp_path, template) == (
        "FROM alpine\nLABEL v=1.2.3\nEXPOSE 80 ALPINE\nEXPOSE 81 ALPINE\nnone none x True\n"
    )


def test_other_dockerfiles_have_templates_too(tmp_path: Path) -> None:
    assert rendered(tmp_path, "FROM {{ Base }}", BuildSettings(dockerfile="docker/App.Dockerfile")) == "FROM alpine"
    assert (tmp_path / "docker" / "App.Dockerfile").is_file()


def test_without_a_template_nothing_happens(tmp_path: Path) -> None:
    assert render_dockerfile(tmp_path, BuildSettings(), VARIABLES) is None
    assert list(tmp_path.iterdir()) == []


def test_template_and_dockerfile_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a", encoding="utf-8")
    with pytest.raises(BuildError, match=r"has both Dockerfile and Dockerfile\.j2; remove one"):
        rendered(tmp_path, "FROM b")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("FROM a\n\n{{ X }}", r":3: 'X' is undefined"),
        ('FROM a\n{{ Variables["X.Y"] }}', r":2: 'X\.Y' is undefined"),
        ("FROM a\n{{ Loop }}", r":2: 'Loop' is undefined"),
        ("FROM a\n{% if %}", r":2: Expected an expression"),
        ("FROM a\n{% for x in y %}", r":2: Unexpected end of template"),
        ("FROM a\n{{ Password }}", r":2: 'Password' is sensitive"),
        ('FROM a\n{{ Variables["PASSWORD"] }}', r":2: 'PASSWORD' is sensitive"),
        ('FROM a\n{% include "/etc/passwd" %}', r":2: include, import and extends"),
        ("FROM a\n{{ ''.__class__.__mro__ }}", r":2: access to attribute '__class__' of 'str' object is unsafe"),
        ("{{ 1 // 0 }}", r":1: integer division or modulo by zero"),
        ("{{ range(10000000) }}", r":1: Range too big"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, template: str, message: str) -> None:
    with pytest.raises(BuildError, match=rf"^Dockerfile\.j2{message}"):
        rendered(tmp_path, template)
    assert not (tmp_path / "Dockerfile").exists()


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 10000000000 }}",
        "{{ '%9999999999d' % 1 }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
        "{{ 'a'.center(4000000000) }}",
    ],
)
def test_templates_that_swell_are_ended(tmp_path: Path, template: str) -> None:
    with pytest.raises(BuildError, match=r"^Dockerfile\.j2.*(memory|more than|too)"):
        rendered(tmp_path, template)


def test_template_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile.j2").write_bytes(b"FROM \xff")
    with pytest.raises(BuildError, match=r"^Dockerfile\.j2 is not UTF-8 \(byte 5\)"):
        render_dockerfile(tmp_path, BuildSettings(), VARIABLES)
