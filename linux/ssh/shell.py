"""Programs on a machine over SSH, as the docker command line host wants them run."""

from __future__ import annotations

import shlex
from contextlib import suppress
from socket import socket

from paramiko import Channel
from paramiko.ssh_exception import SSHException

from agent.engine.shell import ByteSink, Command
from agent.errors import HostError
from agent.host import OperatingSystem
from linux.ssh.bridge import bridge
from linux.ssh.connection import PATIENT, Connection, Patience, raise_lost
from linux.ssh.running import NUMBER, Running
from linux.ssh.target import Target

_KILL_SECONDS = 10.0

# Whatever the user's login shell is, it has to understand one simple line only. The process number comes first on
# standard error, so that the program can be ended: sshd passes on no signals to root's.
_START = f'echo "{NUMBER} $$" >&2; exec "$@"'


class SSHShell:
    """A `Shell`. Threads may share it; a connection that was lost is made again for the next program."""

    def __init__(self, target: Target, patience: Patience = PATIENT) -> None:
        self._target = target
        self._connection = Connection(target, patience)

    @property
    def url(self) -> str:
        return self._target.url

    @property
    def address(self) -> str:
        return self._target.address

    @property
    def operating_system(self) -> OperatingSystem:
        return "linux"

    def log_in(self) -> None:
        """HostError if the machine cannot be reached, or does not let us in; else what follows need not log in."""
        self._connection.log_in()

    def run(self, command: Command, output: ByteSink, error: ByteSink) -> int:
        """As the Protocol says. The cause of a HostError is a TimeoutError for a program that took too long,
        and a ConnectionError if the connection was lost while it ran.
        """
        with self._started(self._line(command, numbered=True)) as channel:
            running = Running(self._target.where, command, channel, output, error)
            try:
                return running.followed()
            except BaseException:
                self._end(running.number)
                raise

    def open(self, command: Command) -> socket:
        """As the Protocol says. What the program prints to standard error goes nowhere.

        Nothing was said to it yet if the connection is lost meanwhile, so it is started once more then.
        """
        line = self._line(command, numbered=False)
        try:
            return bridge(self._started(line))
        except HostError as error:
            if not isinstance(error.__cause__, ConnectionError):
                raise
            return bridge(self._started(line))

    def close(self) -> None:
        self._connection.close()

    def _started(self, line: str) -> Channel:
        channel = self._connection.channel()
        try:
            channel.exec_command(line)
        except (SSHException, EOFError, OSError) as error:
            channel.close()
            raise_lost(self._target.where, str(error))
        return channel

    def _end(self, number: int) -> None:
        """Nobody waits for it any more; how that goes is no matter beside why."""
        if not number:
            return
        with suppress(HostError, SSHException, EOFError, OSError), self._started(f"kill {number}") as channel:
            channel.settimeout(_KILL_SECONDS)
            channel.recv(1)

    def _line(self, command: Command, *, numbered: bool) -> str:
        """For the user's login shell, which takes quotes as sh does."""
        engine = {"DOCKER_HOST": f"unix://{self._target.socket}"} if self._target.socket else {}
        environment = [f"{name}={value}" for name, value in {**engine, **command.environment}.items()]
        whole = [*(["env", *environment] if environment else []), *command.arguments]
        return shlex.join(["exec", "sh", "-c", _START, "sh", *whole] if numbered else ["exec", *whole])
