"""Logins at registries on machines that are reached as Windows is, whatever system they have."""

from __future__ import annotations

from dataclasses import dataclass, field
from socket import socket

import pytest

from agent.engine.command_line.private import logged_in
from agent.engine.command_line.program import NO_SUCH_PROGRAM, DockerProgram
from agent.engine.shell import ByteSink, Command
from agent.host import Credentials, OperatingSystem

SECRET = "s3cret"


@dataclass
class OtherMachine:
    """Has docker, of which `files` are what it keeps of its logins, and these programs."""

    programs: tuple[str, ...]
    has_helper: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    vault: dict[str, bytes] = field(default_factory=dict)
    """What docker gives to its credential helper."""
    url: str = "winrm://jane@machine"
    address: str = "machine"
    operating_system: OperatingSystem = "windows"

    def run(self, command: Command, _output: ByteSink, error: ByteSink) -> int:
        program, *arguments = command.arguments
        if program in self.programs:
            del self.files[arguments[-1]]
        elif arguments[0] == "context":
            return 1
        elif program == "docker":
            self._docker(arguments[0].removeprefix("--config="), arguments[1:], command, error)
        else:
            error(f"{program}: not found".encode())
            return NO_SUCH_PROGRAM
        return 0

    def _docker(self, folder: str, arguments: list[str], command: Command, error: ByteSink) -> None:
        registry = arguments[-1]
        if arguments[0] == "logout":
            self.vault.pop(registry, None)
            self.files[folder] = b""
        elif self.has_helper:
            self.vault[registry] = b"".join(command.standard_input or ())
            self.files[folder] = b"helper"
        else:
            self.files[folder] = b"".join(command.standard_input or ())
            error(b"WARNING! Your credentials are stored unencrypted in a file.\n")

    def open(self, command: Command) -> socket:
        raise AssertionError(command)

    def close(self) -> None:
        pass


def test_login_that_a_credential_helper_took_does_not_stay_with_it() -> None:
    machine = OtherMachine(("cmd",), has_helper=True)
    logins = {name: Credentials(username="jane", password=SECRET) for name in ("one.test", "two.test")}
    with logged_in(machine, DockerProgram(machine), logins):
        assert machine.vault == {"one.test": SECRET.encode(), "two.test": SECRET.encode()}
    assert machine.vault == machine.files == {}


@pytest.mark.parametrize("programs", [("cmd",), ("rm",), ()])
def test_no_login_stays_whatever_removes_it(programs: tuple[str, ...]) -> None:
    machine = OtherMachine(programs)
    logins = {"registry.test": Credentials(username="jane", password=SECRET)}
    with logged_in(machine, DockerProgram(machine), logins) as folder:
        assert machine.files == {folder: SECRET.encode()}
    assert not any(machine.files.values())
