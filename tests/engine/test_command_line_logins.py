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
    files: dict[str, bytes] = field(default_factory=dict)
    url: str = "winrm://jane@machine"
    address: str = "machine"
    operating_system: OperatingSystem = "windows"

    def run(self, command: Command, _output: ByteSink, error: ByteSink) -> int:
        program, *arguments = command.arguments
        if program in self.programs:
            del self.files[arguments[-1]]
        elif program == "docker":
            folder = arguments[0].removeprefix("--config=")
            self.files[folder] = b"".join(command.standard_input or ()) if arguments[1] == "login" else b""
        else:
            error(f"{program}: not found".encode())
            return NO_SUCH_PROGRAM
        return 0

    def open(self, command: Command) -> socket:
        raise AssertionError(command)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("programs", [("cmd",), ("rm",), ()])
def test_no_login_stays_whatever_removes_it(programs: tuple[str, ...]) -> None:
    machine = OtherMachine(programs)
    logins = {"registry.test": Credentials(username="jane", password=SECRET)}
    with logged_in(machine, DockerProgram(machine), logins) as folder:
        assert machine.files == {folder: SECRET.encode()}
    assert not any(machine.files.values())
