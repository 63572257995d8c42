"""What `dockwright doctor` tells of the way to a Windows machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.commands.doctor import Finding, examine
from agent.host import HostAddress
from linux.sandbox import Sandbox
from tests.windows.winrm.conftest import PASSWORD, OpenMachine
from windows.winrm.target import read


@pytest.mark.parametrize(
    ("options", "engine", "settings"),
    [
        ("&engine=cli", "the docker command line", {}),
        ("&engine=api&transport=credssp", "the engine's API", {"authentication": ("CredSSP",)}),
    ],
)
def test_says_what_speaks_to_the_engine_and_that_it_is_encrypted(
    open_machine: OpenMachine,
    sandbox: Sandbox,
    tmp_path: Path,
    options: str,
    engine: str,
    settings: dict[str, object],
) -> None:
    url = open_machine(environment={"DOCKER_HOST": sandbox.host}, **settings).server.url
    found = findings(f"{url}{options}", tmp_path)
    assert found["engine"].good
    assert found["connection"].good
    assert found["connection"].found.startswith(engine)
    assert found["connection"].found.endswith("each message encrypted by the login")


def test_traffic_that_is_not_encrypted_is_a_fault(
    open_machine: OpenMachine, sandbox: Sandbox, tmp_path: Path
) -> None:
    machine = open_machine(environment={"DOCKER_HOST": sandbox.host}, allow_unencrypted=True)
    found = findings(f"{machine.server.url}&message-encryption=never", tmp_path)
    assert not found["connection"].good
    assert found["connection"].found.endswith("NOT encrypted")
    assert "use https" in found["connection"].advice


def test_failed_login_says_what_to_do_and_nothing_of_starting_docker(
    open_machine: OpenMachine, tmp_path: Path
) -> None:
    found = findings(open_machine().server.url, tmp_path, "wrong")
    assert "the password is wrong" in found["engine"].found
    assert found["engine"].advice == ""
    assert "connection" not in found


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("winrm://anna@web1", "login by NTLM as anna; each message encrypted by the login"),
        (
            "winrm://anna@web1?scheme=https",
            "login by NTLM as anna; encrypted by TLS, the machine's certificate trusted by a well-known authority",
        ),
        (
            f"winrm://anna@web1?transport=basic&thumbprint={'ab' * 32}",
            "login by basic as anna; encrypted by TLS, the machine's certificate trusted by its thumbprint",
        ),
        ("winrm://anna@web1?transport=credssp&message-encryption=never", "NOT encrypted"),
        ("winrm://anna@web1?transport=kerberos", "login by Kerberos as anna; each message encrypted by the login"),
    ],
)
def test_way_follows_from_the_url(url: str, told: str) -> None:
    assert read(HostAddress(url=url, password="secret")).protection.endswith(told)


def findings(url: str, home: Path, password: str = PASSWORD) -> dict[str, Finding]:
    return {found.what: found for found in examine(HostAddress(url=url, password=password), home / "home", "")}
