"""Machines that cannot be used as they are: which line a person gets from a deployment, and with which exit code."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from agent.host import ContainerHost
from linux.sandbox import Sandbox
from linux.sandbox.install import program
from tests.ssh.server import SSHServer, serving
from tests.system.shop import STEP, Site
from tests.winrm import server as winrm
from tests.winrm.server import WinRMServer
from tests.winrm.settings import Mishap, Settings

SAYS_WINDOWS = """\
#!/bin/sh
case "$*" in
    "version --format={{{{json .Server}}}}") echo '{{"Version": "24.0.7", "Os": "windows", "Arch": "amd64"}}' ;;
    "info --format={{{{json .}}}}") echo '{{"OSVersion": "10.0.17763"}}' ;;
    inspect*) "{docker}" "$@" | sed 's/"Os": "linux"/"Os": "{image}", "OsVersion": "10.0.20348.1"/' ;;
    *) exec "{docker}" "$@" ;;
esac
"""
"""An engine of Windows Server 2019, as far as it is asked; images there are for `image`."""

SAYS_WINDOWS_IMAGES = """\
#!/bin/sh
case "$*" in
    inspect\\ --type=image*) "{docker}" "$@" | sed 's/"Os": "linux"/"Os": "windows"/' ;;
    *) exec "{docker}" "$@" ;;
esac
"""

DeployTo = Callable[..., tuple[int, str]]
StartWinRM = Callable[..., WinRMServer]


@pytest.fixture
def deploy_to(site: Site, monkeypatch: pytest.MonkeyPatch) -> DeployTo:
    """`deploy_to(url, password)`: the exit code and the one line."""

    def deploy(url: str, password: str = "", step: str = STEP) -> tuple[int, str]:
        monkeypatch.setenv("DOCKWRIGHT_HOST_PASSWORD", password)
        site.step, site.sandbox = step, replace(site.sandbox, host=url)
        done = site.run(1)
        assert "\n" not in done.error
        assert not password or password not in done.stdout + done.stderr
        assert site.containers() == []
        return done.code, done.error

    return deploy


@pytest.fixture
def start_winrm(sandbox: Sandbox, tmp_path: Path) -> Iterator[StartWinRM]:
    with ExitStack() as stack:

        def start(docker: str = "", **more: object) -> WinRMServer:
            """`docker` is the text of a program to use in its place; "none" is none."""
            real = program("docker") or "docker"
            path = tmp_path / "stand-in"
            if docker:
                path.write_text(docker, encoding="utf-8")
                path.chmod(0o755)
            programs = {} if docker == "none" else {"docker": str(path) if docker else real}
            plain = Settings(
                root=winrm.prepared(tmp_path / "machine"),
                password="right-password",
                programs=programs,
                environment={"DOCKER_HOST": sandbox.host},
            )
            return stack.enter_context(winrm.serving(replace(plain, **more)))  # type: ignore[arg-type]

        yield start


def stand_in(text: str, image: str = "") -> str:
    return text.format(docker=program("docker") or "docker", image=image)


@pytest.fixture
def port_of_nobody() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


def test_unknown_ssh_host_is_refused_with_the_line_to_add(
    deploy_to: DeployTo, ssh_server: SSHServer, tmp_path: Path
) -> None:
    code, error = deploy_to(ssh_server.url(known_hosts=str(tmp_path / "none")))
    assert code == 10
    key = " ".join((ssh_server.folder / "host_key.pub").read_text(encoding="utf-8").split()[:2])
    assert re.search(r"is not known: ssh-ed25519 SHA256:\S+; compare it", error)
    assert error.endswith(f"then add this line to {tmp_path / 'none'}: [127.0.0.1]:{ssh_server.port} {key}")


def test_ssh_host_whose_key_has_changed_is_refused_loudly(
    deploy_to: DeployTo, ssh_server: SSHServer, tmp_path: Path
) -> None:
    other = (ssh_server.folder / "user_key.pub").read_text(encoding="utf-8")
    known = tmp_path / "known"
    known.write_text(f"[127.0.0.1]:{ssh_server.port} {other}", encoding="utf-8")
    code, error = deploy_to(ssh_server.url(known_hosts=str(known)))
    assert code == 10
    assert f"THE HOST KEY OF [127.0.0.1]:{ssh_server.port} HAS CHANGED" in error


def test_ssh_login_that_is_refused_says_what_was_tried(deploy_to: DeployTo, ssh_server: SSHServer) -> None:
    wrong = ssh_server.folder / "host_key"
    code, error = deploy_to(ssh_server.url(key=str(wrong)))
    assert code == 10
    assert f"may not log in to [127.0.0.1]:{ssh_server.port} (tried the key {wrong})" in error


def test_ssh_that_is_off_is_said(deploy_to: DeployTo, port_of_nobody: int) -> None:
    code, error = deploy_to(f"ssh://me@127.0.0.1:{port_of_nobody}")
    assert code == 10
    assert f"no SSH server can be reached at 127.0.0.1 port {port_of_nobody} (Connection refused)" in error


@pytest.mark.parametrize("engine", ["api", "cli", "auto"])
def test_machine_without_docker_is_said_over_ssh(deploy_to: DeployTo, tmp_path: Path, engine: str) -> None:
    folder, programs = tmp_path / "bare", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    for name in ("sh", "env"):
        (programs / name).symlink_to(shutil.which(name) or name)
    with serving(folder, within=("env", f"PATH={programs}")) as server:
        code, error = deploy_to(server.url(engine=engine))
    assert code == 10
    assert "there is no docker program on its PATH; install docker there" in error


@pytest.mark.parametrize("engine", ["api", "cli", "auto"])
def test_engine_that_is_off_is_said_over_ssh(deploy_to: DeployTo, ssh_server: SSHServer, engine: str) -> None:
    code, error = deploy_to(ssh_server.url(engine=engine, socket="/nowhere/docker.sock"))
    assert code == 10
    assert "the engine does not answer there; start Docker on that machine" in error


def test_wrong_password_and_locked_account_are_said_over_winrm(deploy_to: DeployTo, start_winrm: StartWinRM) -> None:
    """A machine answers both with 401, and does not say which it is."""
    code, error = deploy_to(start_winrm().url, "wrong-password")
    assert code == 10
    assert "deployer is refused: the password is wrong, or the account is locked" in error


def test_missing_password_is_said_over_winrm(deploy_to: DeployTo, port_of_nobody: int) -> None:
    code, error = deploy_to(f"winrm://me@127.0.0.1:{port_of_nobody}")
    assert code == 10
    assert "no password for me; give it by --host-password-file or in DOCKWRIGHT_HOST_PASSWORD" in error


def test_winrm_that_is_off_is_said(deploy_to: DeployTo, port_of_nobody: int) -> None:
    code, error = deploy_to(f"winrm://me@127.0.0.1:{port_of_nobody}", "right-password")
    assert code == 10
    assert f"WinRM cannot be reached at 127.0.0.1:{port_of_nobody}: Connection refused; is it on there" in error


def test_basic_over_http_is_refused_here_and_there(deploy_to: DeployTo, start_winrm: StartWinRM) -> None:
    server = start_winrm()
    code, error = deploy_to(f"{server.url}&transport=basic", "right-password")
    assert code == 3
    assert "basic over http would show the password to everybody on the way" in error
    code, error = deploy_to(f"{server.url}&transport=basic&message-encryption=never", "right-password")
    assert code == 10
    assert "basic logins are refused there over http; it offers Negotiate: use transport=ntlm" in error


@pytest.mark.parametrize("engine", ["api", "auto", "cli"])
def test_tiny_envelopes_are_said(deploy_to: DeployTo, start_winrm: StartWinRM, engine: str) -> None:
    server = start_winrm(max_envelope_kb=2, answers_configuration=False)
    code, error = deploy_to(f"{server.url}&engine={engine}", "right-password")
    assert code == 10
    assert "raise MaxEnvelopeSizekb there (500 is usual)" in error


@pytest.mark.parametrize("engine", ["api", "cli", "auto"])
def test_shell_quota_is_said(deploy_to: DeployTo, start_winrm: StartWinRM, engine: str) -> None:
    code, error = deploy_to(f"{start_winrm(max_shells_per_user=0).url}&engine={engine}", "right-password")
    assert code == 10
    assert "the user has as many shells open there as MaxShellsPerUser allows; end some, or raise it" in error


@pytest.mark.parametrize("engine", ["api", "cli", "auto"])
def test_machine_without_docker_is_said_over_winrm(deploy_to: DeployTo, start_winrm: StartWinRM, engine: str) -> None:
    code, error = deploy_to(f"{start_winrm(docker='none').url}&engine={engine}", "right-password")
    assert code == 10
    assert re.search(r"docker(\.exe is not on the PATH| program on its PATH)", error)


@pytest.mark.parametrize("engine", ["api", "cli"])
def test_connection_that_is_lost_while_the_context_is_sent_is_said(
    deploy_to: DeployTo, start_winrm: StartWinRM, engine: str
) -> None:
    server = start_winrm()
    server.order(*(Mishap(kind="lose", action="Send", nth=nth) for nth in range(2 if engine == "cli" else 8, 200)))
    code, error = deploy_to(f"{server.url}&engine={engine}", "right-password")
    assert code in {7, 10}
    assert re.search(r"connection (was lost|to the engine broke)", error)


def test_linux_image_for_a_windows_engine_is_said_before_anything_is_built(
    deploy_to: DeployTo, start_winrm: StartWinRM, sandbox: Sandbox
) -> None:
    server = start_winrm(docker=stand_in(SAYS_WINDOWS, "linux"))
    code, error = deploy_to(f"{server.url}&engine=cli", "right-password")
    assert code == 7
    base = sandbox.base_image
    assert f"{base} is an image for Linux, and the engine runs Windows containers; give a Linux host" in error
    assert not any("build" in line for line in server.machine.lines)


def test_image_that_is_too_new_for_the_host_is_said_with_the_tags_that_fit(
    deploy_to: DeployTo, start_winrm: StartWinRM, sandbox: Sandbox
) -> None:
    server = start_winrm(docker=stand_in(SAYS_WINDOWS, "windows"))
    code, error = deploy_to(f"{server.url}&engine=cli", "right-password")
    assert code == 7
    made_for = "Windows ltsc2022 (build 20348) and the host is ltsc2019 (build 17763)"
    assert f"{sandbox.base_image} cannot run on this host: it is made for {made_for}" in error
    assert error.endswith("use a base image whose tag ends in -ltsc2019")
    assert not any("build" in line for line in server.machine.lines)


def test_windows_image_on_a_linux_engine_is_said_before_the_old_one_stops(
    deploy_to: DeployTo, start_winrm: StartWinRM, engine_host: ContainerHost
) -> None:
    server = start_winrm(docker=stand_in(SAYS_WINDOWS_IMAGES))
    code, error = deploy_to(f"{server.url}&engine=cli", "right-password")
    assert code == 7
    assert "is an image for Windows, and the engine runs Linux containers; give a Windows host" in error
    assert not any(line.startswith(("docker stop", "docker create")) for line in server.machine.lines)
