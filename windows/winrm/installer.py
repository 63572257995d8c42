"""The agent on a Windows machine, by WinRM: what `dockwright install --host winrm://…` does."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from agent.host import HostAddress
from windows import install as steps
from windows.install import Log
from windows.winrm.shell import WinRMShell
from windows.winrm.target import read


def install(address: HostAddress, wheel: Path, log: Log) -> str:
    """Put the agent in `wheel` there and start it; its thumbprint and certificate."""
    with closing(WinRMShell(read(address))) as shell:
        return steps.install(shell, wheel, log)


def uninstall(address: HostAddress, log: Log, *, purge: bool) -> None:
    """Take it away; with `purge` its home too."""
    with closing(WinRMShell(read(address))) as shell:
        steps.uninstall(shell, log, purge=purge)
