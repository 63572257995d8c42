"""The remote shells that commands run in, used again where they can be, and deleted at the end.

A command's variables are those of its shell: on no line, and nowhere else.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from windows.winrm import envelopes
from windows.winrm.connection import Connection
from windows.winrm.wire import Fault, Lost

PROCESSES_PER_SHELL = 4
"""A shell's memory quota (MaxMemoryPerShellMB) is shared by all that runs in it."""

_ATTEMPTS = 3


@dataclass(kw_only=True)
class RemoteShell:
    """`honours_ids`: the machine took the id that we chose, and so does for commands. `used`: it has run one."""

    id: str
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    honours_ids: bool = False
    used: bool = False
    users: int = 0


class Shells:
    """Threads may share it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._shells: list[RemoteShell] = []
        self._each = PROCESSES_PER_SHELL
        self._lock = threading.Lock()
        self._closed = False

    def take(self, environment: Mapping[str, str]) -> RemoteShell:
        """A shell with room for one more command. Fault or Lost if none can be opened."""
        with self._lock:
            for shell in self._shells:
                if shell.users < self._each and shell.environment == environment:
                    shell.users += 1
                    return shell
        made = self._create(dict(environment))
        with self._lock:
            self._shells.append(made)
            late = self._closed
        if late:
            self.delete(made)
            raise Lost("the host is closed", unheard=True)
        return made

    def give_back(self, shell: RemoteShell) -> None:
        """The plain shell stays for what comes next; one with variables goes, and they with it."""
        with self._lock:
            shell.users -= 1
            done = shell.users == 0 and bool(shell.environment) and shell in self._shells
            if done:
                self._shells.remove(shell)
        if done:
            self.delete(shell)

    def used(self, shell: RemoteShell, *, honours_ids: bool) -> None:
        """A command was begun in it, under the id that we chose or not."""
        shell.used = True
        shell.honours_ids = shell.honours_ids and honours_ids

    def turn_away(self, shell: RemoteShell) -> bool:
        """It takes no more commands. Whether another shell may, as it holds others, or has held its share."""
        with self._lock:
            others = shell.users - 1
            if others:
                shell.users = others
                self._each = others
                return True
        self.delete(shell)
        return shell.used

    def forget(self, shell: RemoteShell) -> None:
        """It is gone on the machine, or not to be trusted."""
        with self._lock:
            if shell in self._shells:
                self._shells.remove(shell)

    def delete(self, shell: RemoteShell) -> None:
        """End it, and with it all that runs there."""
        self.forget(shell)
        envelope = envelopes.delete(shell.id)
        if not self._connection.ask_once(envelope):
            self._connection.ask_once(envelope)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            shells = list(self._shells)
        for shell in shells:
            self.delete(shell)

    def _create(self, environment: dict[str, str]) -> RemoteShell:
        """Should the answer be lost, the shell that may have come about is deleted before another is opened."""
        lost = Lost("", unheard=True)
        for _ in range(_ATTEMPTS):
            proposed = envelopes.new_id()
            try:
                answer = self._connection.make(envelopes.create(proposed, environment))
            except Lost as error:
                lost = error
                with suppress(Fault):
                    self._connection.ask(envelopes.delete(proposed), repeatable=True)
                continue
            shell_id = envelopes.read_shell_id(answer)
            return RemoteShell(
                id=shell_id, environment=environment, honours_ids=shell_id.upper() == proposed, users=1
            )
        raise lost
