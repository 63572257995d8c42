"""The way to a machine: one SSH connection, by jump hosts if need be, made again after it was lost.

A machine that was there before is waited for: it may be about to come back, and what it was doing has to be seen to.
"""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic, sleep
from typing import NoReturn

from paramiko import Channel, Transport
from paramiko.ssh_exception import ChannelException, SSHException

from agent.errors import HostError
from linux.ssh.known_hosts import read_known_hosts
from linux.ssh.liveness import end_when_dead
from linux.ssh.login import Secrets, log_in
from linux.ssh.target import Login, Target

CONNECT_SECONDS = 15.0
KEEP_ALIVE_SECONDS = 15

_WINDOW = 8 * 1024 * 1024
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
"""First among those that paramiko offers: encrypted and authenticated in one go, at twice the rate."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """In seconds: for how long a machine that was there before is looked for again, and how long it may be silent
    before it counts as gone.
    """

    away: float = 90.0
    silent: float = 60.0


PATIENT = Patience()


class Connection:
    """Opens channels. Threads may share it."""

    def __init__(self, target: Target, patience: Patience = PATIENT) -> None:
        self._target = target
        self._patience = patience
        self._lock = threading.Lock()
        self._transports: list[Transport] = []
        self._silent: list[Transport] = []
        self._met = False

    def log_in(self) -> None:
        """Connect, unless that is done. HostError if the machine cannot be reached, or does not let us in."""
        with self._lock:
            self._transport()
            self._met = True

    def channel(self) -> Channel:
        """A new session, over a new connection if need be: nothing has begun before there is one.

        HostError, whose cause is a ConnectionError if the connection was lost, and the machine does not come back.
        """
        deadline = monotonic() + self._patience.away
        pause = 0.1
        while True:
            try:
                return self._session()
            except HostError as error:
                if not self._met or not isinstance(error.__cause__, OSError):
                    raise
                if monotonic() + pause > deadline:
                    self._met = False  # whoever asks next need not wait as long again
                    raise
            sleep(pause)
            pause = min(pause * 2, 2)

    def close(self) -> None:
        with self._lock:
            self._hang_up()
            for transport in self._silent:
                transport.close()

    def _session(self) -> Channel:
        with self._lock:
            transport = self._transport()
            self._met = True
        try:
            return transport.open_session(window_size=_WINDOW, timeout=CONNECT_SECONDS)
        except ChannelException as error:
            raise HostError(
                f"{self._target.where}: the machine opens no more sessions ({error.text}); "
                "see MaxSessions in its sshd_config"
            ) from error
        except (SSHException, EOFError, OSError) as error:
            self._leave(transport)
            raise_lost(self._target.where, str(error))

    def _leave(self, transport: Transport) -> None:
        """It does not answer, and may never again. Others may still wait for what they run over it."""
        with self._lock:
            if transport in self._transports:
                self._silent += reversed(self._transports)
                self._transports = []

    def _transport(self) -> Transport:
        if not self._transports or not self._transports[-1].is_active():
            self._hang_up()
            try:
                self._connect()
            except BaseException:
                self._hang_up()
                raise
        return self._transports[-1]

    def _connect(self) -> None:
        target = self._target
        for login in (*target.jumps, target.login):
            through = self._transports[-1] if self._transports else None
            if through:
                stream: socket.socket | Channel = _forwarded(target.where, through, login)
            else:
                stream = first = _dial(target.where, login, self._patience.silent)
            transport = _negotiated(target, login, stream)
            self._transports.append(transport)
            # The password is the machine's own; a jump host is not to see it.
            password = target.password if login is target.login else ""
            secrets = Secrets(key=target.key, phrase=target.password, password=password)
            log_in(transport, target.where, login, secrets)
            transport.set_keepalive(KEEP_ALIVE_SECONDS)
        end_when_dead(self._transports[-1], first, self._patience.silent)

    def _hang_up(self) -> None:
        while self._transports:
            self._transports.pop().close()


def raise_lost(where: str, why: str) -> NoReturn:
    """HostError for a connection that was there, and is no more; its cause is a ConnectionError."""
    message = f"{where}: the SSH connection was lost ({why or 'it was closed'}); try again"
    raise HostError(message) from ConnectionResetError(why)


def _dial(where: str, login: Login, silent: float) -> socket.socket:
    try:
        stream = socket.create_connection((login.host, login.port), CONNECT_SECONDS)
    except (socket.gaierror, UnicodeError) as error:
        raise HostError(f"{where}: the name {login.host} is not known; see its spelling and the DNS") from error
    except TimeoutError as error:
        raise HostError(
            f"{where}: {login.host} does not answer at port {login.port} within {CONNECT_SECONDS:g} s; is it running?"
        ) from error
    except OSError as error:
        raise HostError(
            f"{where}: no SSH server can be reached at {login.host} port {login.port} ({error.strerror or error}); "
            "see that the machine is up, and its name and port"
        ) from error
    with suppress(OSError, AttributeError):  # not every system has the last one
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.setsockopt(socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT"), int(silent * 1000))  # noqa: B009
    return stream


def _forwarded(where: str, through: Transport, login: Login) -> Channel:
    try:
        return through.open_channel(
            "direct-tcpip", (login.host, login.port), ("127.0.0.1", 0), window_size=_WINDOW, timeout=CONNECT_SECONDS
        )
    except ChannelException as error:
        raise HostError(
            f"{where}: the jump host does not lead to {login.host} port {login.port} ({error.text}); "
            "see AllowTcpForwarding there"
        ) from error
    except (SSHException, EOFError, OSError) as error:
        raise_lost(where, str(error))


def _negotiated(target: Target, login: Login, stream: socket.socket | Channel) -> Transport:
    """An encrypted connection to a machine that has shown who it is."""
    logging.getLogger("paramiko").addHandler(logging.NullHandler())  # else it prints tracebacks of its threads
    known = read_known_hosts(login, target.known_hosts)
    try:
        transport = Transport(stream, default_window_size=_WINDOW)
    except BaseException:
        stream.close()
        raise
    try:
        transport.banner_timeout = transport.auth_timeout = transport.channel_timeout = CONNECT_SECONDS
        options = transport.get_security_options()
        options.key_types = known.preferred(options.key_types)
        options.ciphers = tuple(sorted(options.ciphers, key=lambda name: name not in _CIPHERS))
        _begin(transport)
        known.check(target.where, transport.get_remote_server_key())
    except (SSHException, EOFError, OSError) as error:
        transport.close()
        raise HostError(
            f"{target.where}: {login.known_name} does not speak SSH as it should ({str(error) or 'it hung up'}); "
            "see the port, and its sshd"
        ) from ConnectionError(str(error))
    except BaseException:
        transport.close()
        raise
    return transport


def _begin(transport: Transport) -> None:
    """It ends without a word, and without keys, when its time is up."""
    transport.start_client(timeout=CONNECT_SECONDS)
    if not transport.initial_kex_done:
        raise SSHException(f"it says nothing for {CONNECT_SECONDS:g} s")
