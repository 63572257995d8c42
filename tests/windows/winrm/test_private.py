"""Logins at registries, which a machine behind WinRM holds for the time of one docker command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.engine.command_line.private import logged_in
from agent.engine.command_line.program import DockerProgram
from agent.errors import HostError
from agent.host import Credentials
from tests.windows.winrm.conftest import Machine, OpenMachine
from tests.winrm import soap
from tests.winrm.settings import Mishap

_DOCKER = """#!/bin/sh
[ "$1" != context ] || exit 1
[ "$2" != logout ] || exit 0
mkdir -p "${1#--config=}" && cat > "${1#--config=}/config.json"
echo 'WARNING! Your credentials are stored unencrypted in a file.' >&2
"""


@pytest.fixture
def machine(open_machine: OpenMachine, tmp_path: Path) -> Machine:
    docker = tmp_path / "docker"
    docker.write_text(_DOCKER, encoding="utf-8")
    docker.chmod(0o755)
    return open_machine(programs={"docker": str(docker)})


@pytest.mark.parametrize(
    "mishap",
    [
        Mishap(kind="too-large", action="Command"),
        Mishap(kind="fault", action="Command", code=soap.TOO_MANY_OPERATIONS),
        Mishap(kind="fault", action="Receive", code=soap.ACCESS_DENIED),
        Mishap(kind="gone", action="Receive", code=soap.NO_SUCH_SHELL),
        Mishap(kind="lose", action="Command"),
    ],
    ids=lambda mishap: f"{mishap.kind}-{mishap.action}",
)
def test_login_is_removed_though_something_goes_wrong_with_that(machine: Machine, mishap: Mishap) -> None:
    with _logged_in(machine):
        assert [path.read_bytes() for path in _logins(machine)] == [b"hunter2"]
        machine.server.order(mishap)
    assert _logins(machine) == []
    assert machine.server.happened == 1


@pytest.mark.parametrize(
    "mishap",
    [
        Mishap(kind="drop", action="Send"),
        Mishap(kind="lose", action="Send"),
        Mishap(kind="gone", action="Send", code=soap.NO_SUCH_SHELL),
        Mishap(kind="gone", action="Receive", nth=1, code=soap.ABORTED),
    ],
    ids=lambda mishap: f"{mishap.kind}-{mishap.action}",
)
def test_login_is_given_again_if_it_is_lost(machine: Machine, mishap: Mishap) -> None:
    machine.server.order(mishap)
    with _logged_in(machine):
        assert [path.read_bytes() for path in _logins(machine)] == [b"hunter2"]
    assert machine.server.happened == 1


def test_login_that_cannot_be_removed_is_told(machine: Machine) -> None:
    with pytest.raises(HostError, match=r"remove the folder \.dockwright-login-"), _logged_in(machine):
        machine.server.order(
            *(Mishap(kind="fault", action="Command", nth=nth, code=soap.ACCESS_DENIED) for nth in (1, 2, 3))
        )


@contextmanager
def _logged_in(machine: Machine) -> Iterator[None]:
    logins = {"127.0.0.1:5000": Credentials(username="anna", password="hunter2")}
    with logged_in(machine.shell, DockerProgram(machine.shell), logins):
        yield


def _logins(machine: Machine) -> list[Path]:
    return list(machine.server.settings.root.rglob(".dockwright-login-*/config.json"))
