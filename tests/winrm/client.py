"""`python -m tests.winrm.client URL PROGRAM ARGUMENT...`: one program over WinRM, from a process of its own.

Its standard input is the program's; the password is in DOCKWRIGHT_HOST_PASSWORD. An error is one line on standard
error, and its exit code.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from typing import BinaryIO

from agent.engine.shell import ByteSink, Command
from agent.errors import DockwrightError
from agent.host import HostAddress
from windows.winrm import WinRMShell
from windows.winrm.target import read


def main(url: str, *arguments: str) -> int:
    try:
        address = HostAddress(url=url, password=os.environ.get("DOCKWRIGHT_HOST_PASSWORD", ""))
        with closing(WinRMShell(read(address), patience=5)) as shell:
            command = Command(arguments=arguments, standard_input=[sys.stdin.buffer.read()], timeout=60)
            return shell.run(command, _to(sys.stdout.buffer), _to(sys.stderr.buffer))
    except DockwrightError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _to(stream: BinaryIO) -> ByteSink:
    def write(piece: bytes) -> None:
        stream.write(piece)

    return write


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
