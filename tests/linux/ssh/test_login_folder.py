"""A registry's login on a machine behind SSH, and the engine that the user's own docker speaks to there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import RegistryError
from agent.host import Credentials, HostAddress
from linux.sandbox import Sandbox
from linux.ssh import connect
from tests.ssh.server import SSHServer, serving


@pytest.fixture
def chosen(sandbox: Sandbox, tmp_path: Path) -> Path:
    """The engine's socket under another name, which only the user's context knows."""
    socket = tmp_path / "chosen.sock"
    socket.symlink_to(sandbox.host.removeprefix("unix://"))
    return socket


@pytest.fixture
def server(chosen: Path, tmp_path: Path, tool: Callable[[str], str]) -> Iterator[SSHServer]:
    folder = tmp_path / "sshd"
    folder.mkdir()
    for command in (["create", "mine", "--docker", f"host=unix://{chosen}"], ["use", "mine"]):
        own = {**os.environ, "HOME": str(folder)}
        own.pop("DOCKER_HOST", None)
        subprocess.run([tool("docker"), "context", *command], env=own, check=True, capture_output=True)
    script = folder / "script"
    script.write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$SSH_ORIGINAL_COMMAND\" >> {folder}/commands\n"
        f'export HOME={folder}\ncd && exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    with serving(folder, more=f"ForceCommand {script}") as server:
        yield server


@pytest.mark.system
def test_command_with_a_login_speaks_to_the_engine_that_the_others_speak_to(server: SSHServer, chosen: Path) -> None:
    with closing(connect(HostAddress(url=server.url(engine="cli")))) as host:
        with pytest.raises(RegistryError):
            host.pull("127.0.0.1:9/none:1", Credentials(username="jane", password="s3cret"), lambda *_: None)
        host.platform()
    pulled = [line for line in server.commands.splitlines() if " pull " in line]
    assert pulled
    assert all(f"--host=unix://{chosen}" in line for line in pulled)
    assert server.commands.count("context inspect") == 1
    assert "s3cret" not in server.commands
