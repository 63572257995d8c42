"""Debian's sshd on a free port of loopback, with keys of its own; and a proxy that cuts connections to it."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from linux.sandbox.install import can_install, install, program

_CONFIGURATION = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/user_key.pub
AuthorizedPrincipalsFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
LogLevel VERBOSE
# SHLVL: else bash would read the user's own .bashrc, before each command
SetEnv PATH={path} SHLVL=1
{more}
"""


@dataclass(frozen=True, kw_only=True)
class SSHServer:
    """A machine to log in to. `folder` holds user_key, known_hosts and the server's own log."""

    folder: Path
    port: int
    engine: str = ""

    @property
    def key(self) -> Path:
        return self.folder / "user_key"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    @property
    def commands(self) -> str:
        """What was run there, where the server is a `recording` one."""
        return (self.folder / "commands").read_text(encoding="utf-8", errors="replace")

    @property
    def home(self) -> Path:
        """Where commands run, where the server is a `recording` one."""
        return self.folder / "home"

    def programs(self) -> list[str]:
        """The command lines of what runs there now, for whoever has logged in."""
        mark = f" {self.port}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                environment = (process / "environ").read_bytes().split(b"\0")
                if any(each.startswith(b"SSH_CONNECTION=") and each.endswith(mark) for each in environment):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        return [line for line in found if line]

    def url(self, **options: str) -> str:
        usual = {"key": str(self.key), "known-hosts": str(self.known_hosts), "address": "127.0.0.1"}
        if self.engine:
            usual["socket"] = self.engine
        given = usual | {name.replace("_", "-"): value for name, value in options.items()}
        query = "&".join(f"{name}={quote(value, safe='/@:,')}" for name, value in given.items() if value)
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}?{query}"

    def at(self, port: int) -> SSHServer:
        """The same behind another port."""
        names = [f"[127.0.0.1]:{each}" for each in (self.port, port)]
        key = " ".join((self.folder / "host_key.pub").read_text(encoding="utf-8").split()[:2])
        with self.known_hosts.open("a", encoding="utf-8") as file:
            file.writelines(f"{name} {key}\n" for name in names)
        return replace(self, port=port)


def recording(folder: Path) -> str:
    """For `more`: lets a server write down all commands, and run them in a home of their own."""
    (folder / "home").mkdir()
    (folder / "commands").touch()
    script = folder / "record"
    script.write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$SSH_ORIGINAL_COMMAND\" >> {folder}/commands\n"
        f'cd {folder}/home && exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    return f"ForceCommand {script}"


@contextmanager
def serving(folder: Path, engine: str = "", more: str = "", within: Sequence[str] = ()) -> Iterator[SSHServer]:
    """A server for as long as it is needed. `more` are lines of its configuration, `within` what it is run by."""
    server = SSHServer(folder=folder, port=_free_port(), engine=engine)
    sshd = _program("sshd", "openssh-server")
    for name in ("host_key", "user_key"):
        if not (folder / name).exists():
            command = [
                _program("ssh-keygen", "openssh-client"),
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-f",
                str(folder / name),
            ]
            subprocess.run(command, check=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    path = next((each[5:] for each in within if each.startswith("PATH=")), os.environ["PATH"])
    text = _CONFIGURATION.format(port=server.port, folder=folder, path=path, more=more)
    (folder / "sshd_config").write_text(text, encoding="utf-8")
    server.at(server.port)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [*within, sshd, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log, stdout=log
        )
    try:
        _await_answer(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(10)


@dataclass
class CuttingProxy:
    """Cuts all its connections once, when the n-th piece has come; 0 cuts never. `counts` are the sides whose pieces
    count: "up" from the client, "down" from the server.

    `away` is for how many seconds nobody is let in afterwards. With `after`, the piece is delivered before; with
    `stalls`, the connections stay, and nothing passes any more.
    """

    port: int
    upstream: int
    cut_at: int = 0
    counts: tuple[str, ...] = ("up", "down")
    pieces: int = 0
    cuts: int = 0
    refusing: bool = False
    refusals: int = 0
    away: float = 0
    after: bool = False
    stalls: bool = False
    away_until: float = 0
    stalled: set[socket.socket] = field(default_factory=set)


@contextmanager
def cutting(upstream: int) -> Iterator[CuttingProxy]:
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = CuttingProxy(port=listener.getsockname()[1], upstream=upstream)
    open_ones: list[socket.socket] = []
    lock = threading.Lock()
    thread = threading.Thread(target=_accept, args=(proxy, listener, open_ones, lock), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        _close(open_ones)


def _accept(
    proxy: CuttingProxy, listener: socket.socket, open_ones: list[socket.socket], lock: threading.Lock
) -> None:
    with suppress(OSError):
        while True:
            near, _ = listener.accept()
            if proxy.refusing or time.monotonic() < proxy.away_until:
                proxy.refusals += 1
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", proxy.upstream))
            open_ones += [near, far]
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for side, source, sink in (("up", near, far), ("down", far, near)):
                what = (proxy, side, source, sink, open_ones, lock)
                threading.Thread(target=_carry, args=what, daemon=True).start()


def _carry(
    proxy: CuttingProxy,
    side: str,
    source: socket.socket,
    sink: socket.socket,
    open_ones: list[socket.socket],
    lock: threading.Lock,
) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            with lock:
                proxy.pieces += side in proxy.counts
                if proxy.pieces == proxy.cut_at and side in proxy.counts:
                    proxy.cuts += 1
                    proxy.away_until = time.monotonic() + proxy.away
                    if proxy.after:
                        sink.sendall(data)
                    if not proxy.stalls:
                        _close(open_ones)
                        return
                    proxy.stalled.update(open_ones)
            if source not in proxy.stalled:
                sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _close(open_ones: list[socket.socket]) -> None:
    victims = open_ones[:]  # those who are cut may come back before all are
    open_ones.clear()
    for one in victims:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


def _await_answer(server: SSHServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", server.port), 1) as stream:
            if stream.recv(4) == b"SSH-":
                return
        assert process.poll() is None, server.log
        assert time.monotonic() < deadline, server.log
        time.sleep(0.02)


def _program(name: str, package: str) -> str:
    if program(name) is None and can_install():
        install([package], say=lambda _line: None)
    path = program(name)
    assert path is not None, f"this test needs the program {name}: install {package}"
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
