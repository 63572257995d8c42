"""`winrm://` hosts: the docker command line over WinRM, or the Engine API through `docker system dial-stdio`."""

from __future__ import annotations

from agent.engine.shell import Command
from agent.engine.way import Way
from agent.errors import HostError
from agent.host import ContainerHost, HostAddress
from windows.winrm.probe import diagnosis, dial_stdio_works
from windows.winrm.shell import WinRMShell
from windows.winrm.target import Target, read

DIAL = Command(arguments=("docker", "system", "dial-stdio"))


def connect(address: HostAddress) -> ContainerHost:
    """The host at `winrm://user@machine`; the URL's options are in `target.py`.

    `engine=cli` is the docker command line, which is known to work everywhere; `engine=api` speaks to the engine
    itself. Without a choice it is the command line, unless a probe of a second or so shows that the other works.
    """
    target = read(address)
    shell = WinRMShell(target)
    try:
        if target.engine == "cli" or (target.engine == "auto" and not dial_stdio_works(shell, DIAL)):
            return _command_line_host(shell, target)
        return _engine_host(shell, target)
    except BaseException:
        shell.close()
        raise


def _command_line_host(shell: WinRMShell, target: Target) -> ContainerHost:
    from agent.engine.command_line import CommandLineHost

    return CommandLineHost(shell, _way(target, "the docker command line"))


def _engine_host(shell: WinRMShell, target: Target) -> ContainerHost:
    from agent.engine.api import EngineHost
    from agent.engine.client import open_client

    try:
        client = open_client(lambda _seconds: shell.open(DIAL), where=shell.url)
    except HostError as error:
        raise diagnosis(shell, error) from error
    way = _way(target, "the engine's API through docker system dial-stdio")
    return EngineHost(client, shell.url, shell.address, shell.close, way)


def _way(target: Target, what: str) -> Way:
    return Way(text=f"{what} over WinRM; {target.protection}", encrypted=target.is_encrypted)
