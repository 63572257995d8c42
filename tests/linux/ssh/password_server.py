# ruff: noqa: ARG002  paramiko says what the methods take
"""An SSH server in this process that lets in by password, which sshd does for users of the machine only."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_PARTIALLY_SUCCESSFUL, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.server import InteractiveQuery

PASSWORD = "hunter2"


@dataclass
class PasswordServer(paramiko.ServerInterface):
    """`takes` are the ways it knows; a key that it accepts is only half of a login."""

    takes: str = "password"
    port: int = 0
    host_key: paramiko.PKey = field(default_factory=paramiko.ECDSAKey.generate)
    seen: list[str] = field(default_factory=list)
    """The passwords that it was shown."""

    def get_allowed_auths(self, username: str) -> str:
        return self.takes

    def check_auth_password(self, username: str, password: str) -> int:
        self.seen.append(password)
        return AUTH_SUCCESSFUL if password == PASSWORD and "password" in self.takes else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return AUTH_PARTIALLY_SUCCESSFUL if "publickey" in self.takes else AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> int | InteractiveQuery:
        if "interactive" not in self.takes:
            return AUTH_FAILED
        query = InteractiveQuery()
        query.add_prompt("Password: ", False)
        return query

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return AUTH_SUCCESSFUL if responses == [PASSWORD] else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        def answer() -> None:
            channel.sendall(b"in\n")
            channel.send_exit_status(0)
            channel.close()

        threading.Timer(0.05, answer).start()
        return True


@contextmanager
def letting_in(takes: str) -> Iterator[PasswordServer]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = PasswordServer(takes=takes, port=listener.getsockname()[1])
    opened: list[paramiko.Transport] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                transport = paramiko.Transport(listener.accept()[0])
                transport.add_server_key(server.host_key)
                opened.append(transport)
                with suppress(paramiko.SSHException, EOFError):
                    transport.start_server(server=server)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for transport in opened:
            transport.close()
