"""Putting the agent on a Windows host over any shell there, and taking it away again.

`install.ps1` does it, the same as by hand; what it needs is sent as text and decoded there, because no program of
Windows writes its standard input to a file as it is.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath

from agent.engine.shell import Command, Shell
from agent.errors import HostError

INSTALL_SECONDS = 900.0
_POWERSHELL = ("powershell", "-NoProfile", "-NonInteractive", "-OutputFormat", "Text", "-ExecutionPolicy", "Bypass")
# Not by certutil, which virus scanners take amiss.
_DECODE = "[IO.File]::WriteAllBytes('{there}', [Convert]::FromBase64String([IO.File]::ReadAllText('{there}.txt')))"

Log = Callable[[str], None]


def install(shell: Shell, wheel: Path, log: Log) -> str:
    """Put the agent in `wheel` on the host and start it; what its users need: thumbprint and certificate.

    HostError, with what the host said, if it cannot be; an agent that was there before goes on then.
    """
    with _sent(shell, [Path(__file__).with_name("install.ps1"), wheel], log) as (script, there):
        log("installing it with what it needs, and starting it")
        return _run(shell, [*_POWERSHELL, "-File", script, "-Wheel", there], "install the agent")


def uninstall(shell: Shell, log: Log, *, purge: bool = False) -> None:
    """Stop the agent and take it away; with `purge` its home too, journal, trusted peers and all."""
    with _sent(shell, [Path(__file__).with_name("uninstall.ps1")], log) as (script,):
        log("stopping and removing the agent")
        _run(shell, [*_POWERSHELL, "-File", script, *(["-Purge"] if purge else [])], "remove the agent")


@contextmanager
def _sent(shell: Shell, files: Sequence[Path], log: Log) -> Iterator[list[str]]:
    """Where the files are there: in a folder of the login's home, which is gone afterwards."""
    folder = PureWindowsPath(f".dockwright-install-{secrets.token_hex(8)}")
    _run(shell, ["cmd", "/c", "mkdir", str(folder)], "make a folder")
    try:
        for file in files:
            log(f"sending {file.name}")
            _send(shell, file, folder / file.name)
        yield [str(folder / file.name) for file in files]
    finally:
        try:
            _run(shell, ["cmd", "/c", "rmdir", "/s", "/q", str(folder)], "remove what was sent")
        except HostError as error:
            log(f"warning: {error}")  # what went wrong before, or the certificate, matters more


def _send(shell: Shell, file: Path, there: PureWindowsPath) -> None:
    """`findstr` copies text line by line: here all those without an @, which base64 never has."""
    text = base64.encodebytes(file.read_bytes()).replace(b"\n", b"\r\n")
    _run(shell, ["cmd", "/c", f"findstr /v @ > {there}.txt"], f"write {there}.txt", text)
    _run(shell, [*_POWERSHELL, "-Command", _DECODE.format(there=there)], f"write {there}")


def _run(shell: Shell, arguments: Sequence[str], doing: str, data: bytes = b"") -> str:
    out, errors = bytearray(), bytearray()
    # Also where there is nothing to say: PowerShell may wait for the end of an input that stays open.
    pieces = [data[start : start + 65536] for start in range(0, len(data), 65536)]
    command = Command(arguments=arguments, standard_input=pieces, timeout=INSTALL_SECONDS)
    status = shell.run(command, out.extend, errors.extend)
    if status:
        said = (errors or out).decode("utf-8", "replace").strip().splitlines() or [f"it ended with {status}"]
        raise HostError(f"{shell.url}: cannot {doing}: {said[0]}", output=said[-20:])
    return out.decode("utf-8", "replace").replace("\r\n", "\n")
