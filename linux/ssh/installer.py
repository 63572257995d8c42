"""The agent on a Linux machine, by SSH: what `dockwright install --host ssh://…` does."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from agent.host import HostAddress
from linux import install as steps
from linux.install import Log
from linux.ssh.host import open_shell


def install(address: HostAddress, wheel: Path, log: Log) -> str:
    """Put the agent in `wheel` there and start it; its thumbprint and certificate."""
    with closing(open_shell(address)) as shell:
        return steps.install(shell, wheel, log)


def uninstall(address: HostAddress, log: Log, *, purge: bool) -> None:
    """Take it away; with `purge` its home too."""
    with closing(open_shell(address)) as shell:
        steps.uninstall(shell, log, purge=purge)
