"""`ssh://` hosts: the Engine API through `docker system dial-stdio`, or the docker command line there."""

from __future__ import annotations

from agent.engine.shell import Command
from agent.errors import HostError
from agent.host import ContainerHost, HostAddress
from linux.ssh.shell import SSHShell
from linux.ssh.streams import Streams
from linux.ssh.target import read

_DIAL = Command(arguments=("docker", "system", "dial-stdio"))


def connect(address: HostAddress) -> ContainerHost:
    """The host at `ssh://user@machine`; the URL's options are in `target.py`.

    `engine=api` speaks to the engine itself, `engine=cli` has the docker program there do it. Without a choice
    it is the first, unless the docker program there is too old for it.
    """
    from agent.engine.command_line import CommandLineHost

    target = read(address)
    shell = SSHShell(target)
    try:
        shell.log_in()
        if target.engine == "cli":
            return CommandLineHost(shell)
        try:
            return _engine_host(shell)
        except HostError:
            CommandLineHost(shell).platform()  # it says why there is no engine, if there is none
            if target.engine == "api":
                raise
            return CommandLineHost(shell)
    except BaseException:
        shell.close()
        raise


def open_shell(address: HostAddress) -> SSHShell:
    """Only the way to the machine, for what needs no engine."""
    return SSHShell(read(address))


def _engine_host(shell: SSHShell) -> ContainerHost:
    from agent.engine.api import EngineHost
    from agent.engine.client import open_client

    streams = Streams(shell, _DIAL)
    try:
        client = open_client(lambda _seconds: streams.open(), where=shell.url)
    except BaseException:
        streams.end()
        raise
    return EngineHost(client, shell.url, shell.address, streams.close)
