"""Windows machines with WinRM, as many kinds as the tests ask for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from agent.engine.shell import Command
from agent.host import HostAddress
from tests.winrm.server import WinRMServer, prepared, serving
from tests.winrm.settings import Settings
from windows.winrm import WinRMShell
from windows.winrm.target import read

PASSWORD = "Geheim & <streng>! 7§"
PROGRAMS = ("docker", "cat", "sha256sum", "sleep", "printenv", "true", "head", "sh")


@dataclass
class Ran:
    """What a command did."""

    code: int
    output: bytes
    error: bytes


@dataclass
class Machine:
    """A server, and a shell on it that was opened by its URL."""

    server: WinRMServer
    shell: WinRMShell
    pieces: list[bytes] = field(default_factory=list)

    def run(self, *arguments: str, **more: object) -> Ran:
        error: list[bytes] = []
        self.pieces.clear()
        command = replace(Command(arguments=arguments), **more)  # type: ignore[arg-type]
        code = self.shell.run(command, self.pieces.append, error.append)
        return Ran(code, b"".join(self.pieces), b"".join(error))


OpenMachine = Callable[..., Machine]


@pytest.fixture
def open_machine(tmp_path: Path) -> Iterator[OpenMachine]:
    """`open_machine(options="&scheme=https", patience=2, **settings)`."""
    with ExitStack() as stack:

        def opened(
            *, options: str = "", patience: float = 5, password: str = PASSWORD, **settings: object
        ) -> Machine:
            programs = {name: path for name in PROGRAMS if (path := shutil.which(name))}
            plain = Settings(root=prepared(tmp_path / "machine"), password=PASSWORD, programs=programs)
            server = stack.enter_context(serving(replace(plain, **settings)))  # type: ignore[arg-type]
            shell = WinRMShell(read(HostAddress(url=f"{server.url}{options}", password=password)), patience)
            stack.callback(shell.close)
            return Machine(server, shell)

        yield opened


@pytest.fixture
def machine(open_machine: OpenMachine) -> Machine:
    return open_machine()
