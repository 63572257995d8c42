"""The `build:` section: where its values come from, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.documents import convert
from agent.errors import DockwrightError, InputError, VariablesError
from agent.images.settings import BuildSettings, build_settings
from agent.variables import Variables

VARIABLES = Variables.of(
    {"Token": "s3cret", "Release": "1.2", "Mem": "512MB", "Empty": ""}, sensitive=("Token", "Empty")
)


def settings(given: object) -> BuildSettings:
    return convert(given, BuildSettings, where="build")


def test_inputs_win_and_are_not_evaluated_again() -> None:
    packaged = settings({"target": "packaged", "args": {"A": "1"}})
    inputs = settings({"args": {"B": "#{Release}"}, "secrets": {"token": "se#{cret}"}})
    known = build_settings(packaged, inputs, VARIABLES, "sdi.yaml")
    assert (known.target, known.args, known.secrets) == ("", {"B": "#{Release}"}, {"token": "se#{cret}"})


def test_values_of_the_package_are_evaluated() -> None:
    packaged = settings(
        {"args": {"A": "v#{Release}"}, "secrets": {"t": "a#{Token}"}, "pull": "true", "time-limit": "60"}
    )
    request = build_settings(packaged, None, VARIABLES, "sdi.yaml").request(Path())
    assert request.arguments == {"A": "v1.2"}
    assert request.secrets == {"t": "as3cret"}
    assert (request.pull, request.timeout) == (True, 60)
    with pytest.raises(VariablesError, match=r"Nothing\} \(in sdi\.yaml: build\.args\.A\)"):
        build_settings(settings({"args": {"A": "#{Nothing}"}}), None, VARIABLES, "sdi.yaml")


def test_listed_secrets_are_variables_of_that_name() -> None:
    known = build_settings(None, settings({"secrets": ["Token"]}), VARIABLES, "sdi.yaml")
    assert known.secrets == {"Token": "s3cret"}
    with pytest.raises(VariablesError, match=r"build\.secrets: there is no variable 'Nothing'; set it"):
        build_settings(None, settings({"secrets": ["Nothing"]}), VARIABLES, "sdi.yaml")
    with pytest.raises(VariablesError, match=r"build\.secrets\.Empty: its value is empty"):
        build_settings(None, settings({"secrets": ["Empty"]}), VARIABLES, "sdi.yaml")


def test_memory_is_read_as_docker_reads_it() -> None:
    for text, size in (("512MB", 512 << 20), ("1.5g", 3 << 29), ("#{Mem}", 512 << 20), ("8388608", 8 << 20)):
        packaged = settings({"memory": text})
        assert build_settings(packaged, None, VARIABLES, "sdi.yaml").request(Path()).memory == size


def test_secrets_show_neither_in_representations_nor_in_the_fingerprint() -> None:
    one = settings({"secrets": {"token": "hunter2"}})
    other = settings({"secrets": {"token": "changed"}})
    assert "hunter2" not in repr(one)
    assert "hunter2" not in repr(one.request(Path()))
    assert one.fingerprint == other.fingerprint
    assert one.fingerprint != settings({"secrets": {"other": "hunter2"}}).fingerprint
    assert one.fingerprint != settings({"args": {"A": "1"}, "secrets": {"token": "hunter2"}}).fingerprint


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target": "--privileged"}, r"build\.target: '--privileged' is not the name"),
        ({"platform": "linux/amd64 --push"}, r"build\.platform: "),
        ({"dockerfile": "../Dockerfile"}, r"build\.dockerfile: .* inside the source package"),
        ({"dockerfile": "..\\Dockerfile"}, r"build\.dockerfile: "),
        ({"args": {"-f": "x"}}, r"build\.args: "),
        ({"secrets": {"a,src=/etc/shadow": "x"}}, r"build\.secrets: "),
        ({"cache-from": ["--x"]}, r"build\.cache-from: "),
        ({"memory": "lots"}, r"build\.memory: 'lots' is no size"),
        ({"memory": "1k"}, r"build\.memory: '1k' is no size of 6MB or more"),
        ({"memory": "9" * 400}, r"build\.memory: "),
        ({"memory": "512MB", "secrets": {"a": "x"}}, r"build\.memory: BuildKit, which secrets need"),
        ({"time-limit": "-1"}, r"build\.time-limit: "),
        ({"time-limit": "nan"}, r"build\.time-limit: "),
        ({"time-limit": "1e9"}, r"build\.time-limit: "),
        ({"isolation": "none"}, r"build: isolation: 'none' is none of its values"),
        ({"secret": {}}, r"build: unknown key 'secret'; did you mean 'secrets'\?"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(given: object, message: str) -> None:
    with pytest.raises(DockwrightError, match=rf"^{message}") as refused:
        build_settings(None, settings(given), VARIABLES, "sdi.yaml")
    assert isinstance(refused.value, InputError)
