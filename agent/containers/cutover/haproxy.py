"""HAProxy, told over its runtime socket where to lead requests: at once, without a reload, and it answers when done.

The servers of the backend are places that containers take: a container's own place is the one that has its
address, so HAProxy itself says what is where. Where every place is taken, the new container takes over an old
one's; connections that are open go on to where they went.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.containers.cutover.connections import await_quiet
from agent.containers.cutover.endpoint import Endpoint, endpoint_of
from agent.containers.cutover.scene import Scene
from agent.containers.cutover.settings import Proxy
from agent.containers.cutover.shape import Shape, shape_of
from agent.durable import replace_file
from agent.errors import ContainerError, HostError, InputError, StorageError
from agent.host import ContainerInfo
from agent.lock import exclusive

_SECONDS = 10.0
_UP_SECONDS = 10.0
_LARGEST_ANSWER = 4_000_000
_SEE = "see that HAProxy runs, and its 'stats socket'"
_RUNNING = "2"
_MAINTENANCE, _DRAINING = 0x01, 0x08


@dataclass(frozen=True, kw_only=True)
class _Server:
    """One server line of the backend, as `show servers state` tells it."""

    name: str
    endpoint: Endpoint
    named: bool
    """It is configured by a host's name; only then does HAProxy read its address from the state file again."""
    up: bool
    admin_state: int

    @property
    def asked(self) -> bool:
        """It gets new requests."""
        return not self.admin_state & (_MAINTENANCE | _DRAINING)

    def serves(self, endpoint: Endpoint) -> bool:
        return self.endpoint == endpoint and self.asked and self.up


class HAProxyFront:
    """A backend of HAProxy's."""

    def __init__(self, shape: Shape, scene: Scene) -> None:
        assert isinstance(shape.cutover, Proxy)
        self._settings = shape.cutover
        self._scene = scene

    def check(self, replicas: int) -> None:
        servers = self._servers()
        if len(servers) < replicas:
            raise InputError(
                f"{self._where} has {len(servers)} servers, too few for {replicas} replicas; add some, for example "
                f"server-template s 1-{replicas + 1} localhost:1 disabled"
            )
        if self._settings.state and self._settings.via == "address" and not all(one.named for one in servers):
            self._scene.log(
                f"warning: {self._where} has servers given by IP, whose address HAProxy forgets when it restarts; "
                "write localhost in its configuration instead, or use via: published"
            )
        self._set(servers[0].name, "state ready" if servers[0].asked else f"state {_state_word(servers[0])}")
        self._write_state()

    def prepare(self) -> None: ...
    def hold(self) -> None: ...
    def open(self) -> None: ...
    def asker(self) -> None: ...

    def route(self, containers: Sequence[ContainerInfo]) -> None:
        wanted = [endpoint_of(one, self._scene.host) for one in containers]
        servers = self._servers()
        held = {server.endpoint: server for server in servers}
        places = _vacant_first([server for server in servers if server.endpoint not in wanted])
        if len(servers) < len(wanted):
            raise HostError(f"{self._where} has {len(servers)} servers now, too few for {len(wanted)} containers")
        taken = {endpoint: held[endpoint] if endpoint in held else places.pop(0) for endpoint in wanted}
        if all(server.serves(endpoint) for endpoint, server in taken.items()) and not any(
            server.asked for server in places
        ):
            return
        with self._scene.journal.effect("run", "route", f"{self._where} {' '.join(map(str, wanted)) or 'nowhere'}"):
            for endpoint, server in taken.items():
                self._lead(server, endpoint)
            self._await_up({server.name for server in taken.values()})
            for server in places:
                if server.asked:
                    self._set(server.name, "state drain" if wanted else "state maint")
            self._save_state()

    def drain(self, container: ContainerInfo) -> None:
        """Nothing of it is under way any more, seen from HAProxy, or from the container if it lost its place."""
        seen = self._scene.host.inspect(container.id)
        if seen is None or not seen.running:
            return
        endpoint = endpoint_of(seen, self._scene.host)
        server = next((one for one in self._servers() if one.endpoint == endpoint), None)
        with self._scene.journal.effect("run", "drain", container.name):
            if server is None:
                await_quiet(seen, shape_of(seen.labels).port, self._settings.drain, self._scene)
                return
            if server.asked:
                self._set(server.name, "state drain")
            self._await_idle(server.name, container.name)
            self._set(server.name, "state maint")
            self._save_state()

    def leave(self) -> None:
        self.route([])

    @property
    def _where(self) -> str:
        return f"the HAProxy backend {self._settings.backend} at {self._settings.haproxy}"

    def _lead(self, server: _Server, endpoint: Endpoint) -> None:
        if server.endpoint != endpoint:
            answer = self._set(server.name, f"addr {endpoint.address} port {endpoint.port}")
            if "changed" not in answer and "no need to change" not in answer:
                raise HostError(f"{self._where} did not take the address {endpoint}: {answer}")
        self._set(server.name, "state ready")

    def _await_up(self, names: set[str]) -> None:
        """HAProxy's own health checks have the last word, where it makes some."""
        deadline = time.monotonic() + _UP_SECONDS
        while down := [one for one in self._servers() if one.name in names and not one.up]:
            if time.monotonic() > deadline:
                raise ContainerError(
                    f"{self._where}: HAProxy's own check finds {down[0].endpoint} down; see that the check asks for "
                    "something that the container answers"
                )
            time.sleep(0.05)

    def _await_idle(self, server: str, container: str) -> None:
        deadline = time.monotonic() + self._settings.drain
        while (busy := self._sessions(server)) and time.monotonic() < deadline:
            time.sleep(0.05)
        if busy:
            self._scene.log(
                f"warning: {container} had {busy} requests under way after {self._settings.drain:g} s; it is stopped"
            )

    def _servers(self) -> list[_Server]:
        answer = self._ask(f"show servers state {self._settings.backend}")
        rows = [line.split() for line in answer.splitlines()]
        header = next((row[1:] for row in rows if row[:1] == ["#"]), [])
        if not header:
            raise InputError(f"{self._where}: {_shortened(answer) or 'no answer'}; see run.cutover.backend")
        try:
            servers = [_server(dict(zip(header, row, strict=False))) for row in rows if len(row) == len(header)]
        except (KeyError, ValueError) as error:
            raise HostError(f"{self._where} says what no HAProxy says ({_shortened(answer)}); {_SEE}") from error
        if not servers:
            raise InputError(
                f"{self._where} has no servers; add places for containers, for example "
                "server-template s 1-4 localhost:1 disabled"
            )
        return servers

    def _sessions(self, server: str) -> int:
        header, *lines = self._ask(f"show stat {self._settings.backend} 4 -1").splitlines() or [""]
        names = header.removeprefix("# ").split(",")
        rows = [dict(zip(names, line.split(","), strict=False)) for line in lines]
        busy = [row.get("scur", "?") or "0" for row in rows if row.get("svname") == server]
        if not busy or not all(number.isdecimal() for number in busy):
            raise HostError(f"{self._where} does not say what is under way ({_shortened(header)}); {_SEE}")
        return sum(map(int, busy))

    def _set(self, server: str, what: str) -> str:
        answer = self._ask(f"set server {self._settings.backend}/{server} {what}")
        if "denied" in answer.lower() or answer.startswith(("No such", "Unknown", "Require", "Invalid")):
            raise HostError(f"{self._where} refuses to set {server}: {answer}; the socket needs 'level admin'")
        return answer

    def _save_state(self) -> None:
        """Traffic goes where it should by now: a disk that is full is no reason to go back."""
        try:
            self._write_state()
        except StorageError as error:
            self._scene.log(f"warning: {error}; until then a restart of HAProxy leads to where it led before")

    def _write_state(self) -> None:
        """What a reload or a restart of HAProxy reads again."""
        if not self._settings.state:
            return
        path = Path(self._settings.state)
        with exclusive(path.with_name(f".{path.name}.lock")):
            replace_file(path, f"{self._ask('show servers state')}\n".encode(), mode=0o644)

    def _ask(self, command: str) -> str:
        try:
            return _exchange(self._settings.haproxy, command)
        except (OSError, ValueError) as error:
            raise HostError(f"{self._where} does not answer ({error}); {_SEE}") from error


def _exchange(address: str, command: str) -> str:
    with _connected(address) as connection:
        connection.sendall(f"{command}\n".encode())
        answer = bytearray()
        deadline = time.monotonic() + _SECONDS
        while chunk := connection.recv(65_536):
            answer += chunk
            if len(answer) > _LARGEST_ANSWER or time.monotonic() > deadline:
                raise ValueError("its answer has no end")
    return answer.decode("utf-8", "replace").strip()


def _connected(address: str) -> socket.socket:
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "/" not in address:
        return socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS)
    connection = socket.socket(getattr(socket, "AF_UNIX"), socket.SOCK_STREAM)  # noqa: B009  Windows has none
    connection.settimeout(_SECONDS)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def _server(row: dict[str, str]) -> _Server:
    return _Server(
        name=row["srv_name"],
        endpoint=Endpoint(row["srv_addr"], int(row["srv_port"])),
        named=row["srv_fqdn"] != "-",
        up=row["srv_op_state"] == _RUNNING,
        admin_state=int(row["srv_admin_state"]),
    )


def _shortened(answer: str) -> str:
    return " ".join(answer[:200].split())


def _state_word(server: _Server) -> str:
    return "maint" if server.admin_state & _MAINTENANCE else "drain"


def _vacant_first(servers: list[_Server]) -> list[_Server]:
    return sorted(servers, key=lambda server: (server.asked, not server.admin_state & _MAINTENANCE))
