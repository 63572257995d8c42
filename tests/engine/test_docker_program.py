"""The surroundings of the docker program on this machine: no login of the user's comes in."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.engine.docker_program import private_surroundings
from agent.host import Credentials


@pytest.mark.parametrize("given", [{}, {"other.test": Credentials(username="jane", password="s3cret")}])
def test_credential_helper_that_docker_finds_is_not_asked(
    given: dict[str, Credentials], tool: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pass", "docker-credential-pass", "docker-credential-secretservice"):
        helper = tmp_path / name
        helper.write_text(f"#!/bin/sh\necho asked >> {tmp_path}/asked\nexit 1\n", encoding="utf-8")
        helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with private_surroundings(f"unix://{tmp_path}/none.sock", given) as surroundings:
        pull = [tool("docker"), "pull", "127.0.0.1:9/none:1"]
        done = subprocess.run(pull, env=dict(surroundings.environment), capture_output=True, check=False, timeout=60)
    assert done.returncode != 0
    assert not (tmp_path / "asked").exists()
