"""Where a registry's credentials come from, and that they stay out of everything else."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from pathlib import Path

import pytest

from agent.errors import RegistryError
from agent.host import Credentials
from agent.registry.credentials import find_credentials

JANE = Credentials(username="jane", password="s3cret:with:colons")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "docker"


def write(config: Path, content: object) -> Path:
    config.mkdir(exist_ok=True)
    (config / "config.json").write_text(json.dumps(content), encoding="utf-8")
    return config


def auth(credentials: Credentials) -> dict[str, str]:
    return {"auth": b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()}


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the PATH; what it holds as `docker-credential-NAME` is a helper."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def script(folder: Path, name: str, body: str) -> None:
    path = folder / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


def test_explicit_credentials_win(config: Path) -> None:
    write(config, {"auths": {"r.io": auth(Credentials(username="x", password="y"))}})
    assert find_credentials("r.io", JANE, config) == JANE


def test_without_a_configuration_nobody_is_logged_in(config: Path) -> None:
    assert find_credentials("r.io", None, config) is None


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        ("r.io", "r.io"),
        ("https://r.io/v2/", "r.io"),
        ("http://r.io:5000", "r.io:5000"),
        ("https://index.docker.io/v1/", "docker.io"),
    ],
)
def test_login_in_the_file_is_found_by_host(config: Path, key: str, registry: str) -> None:
    write(config, {"auths": {"other.io": {}, key: auth(JANE)}, "HttpHeaders": {"User-Agent": "x"}})
    assert find_credentials(registry, None, config) == JANE
    assert find_credentials("r.io:81", None, config) is None


def test_identity_token_goes_before_a_password(config: Path) -> None:
    write(config, {"auths": {"r.io": {**auth(JANE), "identitytoken": "abc"}}})
    assert find_credentials("r.io", None, config) == Credentials(username="<token>", password="abc")


def test_docker_config_names_the_folder(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(write(config, {"auths": {"r.io": auth(JANE)}})))
    assert find_credentials("r.io") == JANE


def test_helper_of_the_registry_is_asked_on_its_stdin(config: Path, helper: Path) -> None:
    write(config, {"credHelpers": {"r.io": "mine"}, "credsStore": "other", "auths": {"r.io": auth(JANE)}})
    script(helper, "mine", 'read server; echo "{\\"Username\\":\\"for $server $1\\",\\"Secret\\":\\"s\\"}"')
    script(helper, "other", "exit 7")
    assert find_credentials("r.io", None, config) == Credentials(username="for r.io get", password="s")


def test_hub_is_asked_for_by_its_old_url(config: Path, helper: Path) -> None:
    write(config, {"credsStore": "mine"})
    script(helper, "mine", 'read server; echo "{\\"Username\\":\\"$server\\",\\"Secret\\":\\"s\\"}"')
    found = find_credentials("docker.io", None, config)
    assert found is not None
    assert found.username == "https://index.docker.io/v1/"


def test_helper_that_knows_nothing_leaves_what_the_file_says(config: Path, helper: Path) -> None:
    write(config, {"credsStore": "mine", "auths": {"r.io": auth(JANE)}})
    script(helper, "mine", "echo credentials not found in native keychain; exit 1")
    assert find_credentials("r.io", None, config) == JANE
    assert find_credentials("s.io", None, config) is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("echo the vault is sealed; exit 1", "the vault is sealed"),
        ("echo s3cret is no JSON", "not understood"),
        ("kill -9 $$", "cannot give credentials"),
    ],
)
def test_failing_helper_is_named_and_its_secret_is_not(config: Path, helper: Path, body: str, message: str) -> None:
    write(config, {"credsStore": "mine"})
    script(helper, "mine", body)
    with pytest.raises(RegistryError, match=f"docker-credential-mine: .*{message}") as failed:
        find_credentials("r.io", None, config)
    assert "s3cret" not in str(failed.value)


def test_helper_that_is_not_installed_is_named(config: Path) -> None:
    write(config, {"credsStore": "not-installed-here"})
    with pytest.raises(RegistryError, match="docker-credential-not-installed-here: cannot be started"):
        find_credentials("r.io", None, config)


def test_helper_name_cannot_be_a_path(config: Path) -> None:
    write(config, {"credsStore": "x/../../../bin/sh"})
    with pytest.raises(RegistryError, match="no name of a Docker credential helper"):
        find_credentials("r.io", None, config)


@pytest.mark.parametrize("content", ["{", "[]", '{"auths": {"r.io": "s3cret"}}'])
def test_broken_configuration_is_named_and_not_quoted(config: Path, content: str) -> None:
    config.mkdir()
    (config / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(RegistryError, match=r"config\.json") as failed:
        find_credentials("r.io", None, config)
    assert "s3cret" not in str(failed.value)


@pytest.mark.parametrize("damaged", ["!!", "bm9jb2xvbg==", "/w=="])
def test_damaged_login_is_named_and_not_quoted(config: Path, damaged: str) -> None:
    write(config, {"auths": {"r.io": {"auth": damaged}}})
    with pytest.raises(RegistryError, match=r"the login for r\.io is damaged") as failed:
        find_credentials("r.io", None, config)
    assert damaged not in str(failed.value)


def test_secret_never_shows_in_a_representation() -> None:
    assert "s3cret" not in repr(JANE)
