"""A socket that plays HAProxy, well or badly; the real one is asked in tests/system/test_cutover.py."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.containers import SLOT, HealthSettings, Proxy, Replacement, RunSettings, replace, serving
from agent.errors import DockwrightError, HostError, InputError, StorageError
from agent.journal import Journal, NewRun, RunEntry
from agent.testing import MemoryHost

SLOT_NAME = "shop/test/untenanted/web"
IMAGE = "shop:1"
HEADER = "# srv_name srv_addr srv_op_state srv_admin_state srv_fqdn srv_port"


@dataclass(frozen=True)
class Lie:
    """What is said to commands that begin so, once it has told so many truths."""

    beginning: str
    answer: str
    truths: int = 0


@dataclass
class Player:
    """`servers` by name: address, port, admin state."""

    servers: dict[str, tuple[str, str, str]] = field(
        default_factory=lambda: {f"s{number}": ("127.0.0.1", "1", "1") for number in (1, 2)}
    )
    lie: Lie | None = None
    told: int = 0

    def answer(self, command: str) -> str:
        if self.lie is not None and command.startswith(self.lie.beginning):
            self.told += 1
            if self.told > self.lie.truths:
                return self.lie.answer
        words = command.split()
        if words[:2] == ["show", "servers"]:
            rows = [
                f"{name} {where} 2 {admin} localhost {port}" for name, (where, port, admin) in self.servers.items()
            ]
            return "\n".join(["1", HEADER, *rows])
        if words[:2] == ["show", "stat"]:
            return "\n".join(["# pxname,svname,scur", *(f"shop,{name},0" for name in self.servers)])
        name = words[2].partition("/")[2]
        where, port, admin = self.servers[name]
        if words[3] == "addr":
            self.servers[name] = (words[4], words[6], admin)
            return f"IP changed from '{where}' to '{words[4]}'"
        self.servers[name] = (where, port, {"ready": "0", "maint": "1", "drain": "8"}[words[4]])
        return ""

    @property
    def asked(self) -> list[str]:
        return [where for where, _, admin in self.servers.values() if admin == "0"]


@pytest.fixture
def player() -> Player:
    return Player()


@pytest.fixture
def socket_path(player: Player, tmp_path: Path) -> Iterator[Path]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(f"{player.answer(self.rfile.readline().decode().strip())}\n".encode())

    path = tmp_path / "admin.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield path
        server.shutdown()
        thread.join()


@pytest.fixture
def host() -> MemoryHost:
    host = MemoryHost()
    host.add_image(IMAGE)
    return host


@pytest.fixture
def entry(tmp_path: Path) -> Iterator[RunEntry]:
    journal = Journal(tmp_path / "journal.db")
    values = dict.fromkeys(("release", "project", "environment", "tenant", "step", "host"), "")
    yield journal.begin(NewRun(id="Deployments-1", kind="deployment", slot=SLOT_NAME, **values))
    journal.close()


def deploy(number: int, socket_path: Path, host: MemoryHost, entry: RunEntry, state: str = "") -> list[str]:
    said: list[str] = []
    settings = RunSettings(
        name="web",
        ports=["80"],
        health=HealthSettings(timeout=1, interval=0.01, settle=0),
        cutover=Proxy(haproxy=str(socket_path), backend="shop", drain=0, state=state),
    )
    spec = settings.specification(IMAGE, f"deployments-{number}", {SLOT: SLOT_NAME})
    replace(
        Replacement(slot=SLOT_NAME, spec=spec, health=settings.health, keep=3), host, entry, nullcontext, said.append
    )
    return said


@pytest.fixture
def behind(socket_path: Path, host: MemoryHost, entry: RunEntry) -> Callable[[int], list[str]]:
    return lambda number: deploy(number, socket_path, host, entry)


def addresses(host: MemoryHost) -> list[str]:
    return [one.addresses[0] for one in serving(host, SLOT_NAME)]


def test_the_new_container_is_led_to_and_the_old_one_is_not(
    player: Player, socket_path: Path, host: MemoryHost, entry: RunEntry
) -> None:
    for number in (1, 2, 3):
        deploy(number, socket_path, host, entry)
        assert player.asked == addresses(host)
        assert [one.name for one in serving(host, SLOT_NAME)] == [f"web-deployments-{number}"]


@pytest.mark.parametrize(
    ("lie", "error", "expected"),
    [
        (
            Lie("show servers", "HTTP/1.0 400 Bad request\nServer: x"),
            InputError,
            "HTTP/1.0 400 Bad request Server: x",
        ),
        (Lie("show servers", ""), InputError, "no answer; see run.cutover.backend"),
        (Lie("show servers", "# srv_name srv_addr\ns1 127.0.0.1"), HostError, "says what no HAProxy says"),
        (Lie("show servers", f"{HEADER}\ns1 127.0.0.1 2 zero localhost x"), HostError, "says what no HAProxy says"),
        (Lie("show servers", HEADER), InputError, "has no servers; add places"),
        (Lie("set server", "Permission denied"), HostError, "refuses to set s1: Permission denied"),
        (Lie("set server", "Permission denied", truths=1), HostError, "refuses to set"),
        (Lie("set server shop/s2 addr", "Internal error."), HostError, "did not take the address .*: Internal error"),
        (Lie("show servers", HEADER, truths=1), InputError, "has no servers"),
        (Lie("show servers", f"{HEADER}\n", truths=2), InputError, "has no servers"),
        (Lie("show stat", "nonsense", truths=0), HostError, "does not say what is under way"),
    ],
)
def test_an_answer_that_is_none_is_one_line_and_the_old_one_serves(
    lie: Lie,
    error: type[DockwrightError],
    expected: str,
    player: Player,
    behind: Callable[[int], list[str]],
    host: MemoryHost,
) -> None:
    behind(1)
    player.lie = lie
    with pytest.raises(DockwrightError, match=expected) as raised:
        behind(2)
    assert raised.value.exit_code == error.exit_code
    assert "\n" not in str(raised.value)
    assert "web-deployments-1" in [one.name for one in serving(host, SLOT_NAME)]
    assert addresses(host)[0] in player.asked


def test_a_state_file_that_cannot_be_written_is_found_out_before_anything_changes(
    socket_path: Path, host: MemoryHost, entry: RunEntry, tmp_path: Path
) -> None:
    deploy(1, socket_path, host, entry)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be"):
        deploy(2, socket_path, host, entry, state=str(tmp_path / "file" / "state"))
    assert [one.name for one in serving(host, SLOT_NAME)] == ["web-deployments-1"]


def test_a_state_file_that_cannot_be_written_any_more_is_a_warning(
    player: Player, socket_path: Path, host: MemoryHost, entry: RunEntry, tmp_path: Path
) -> None:
    state = tmp_path / "states" / "state"

    class Spoiling(MemoryHost):
        def start(self, container: str) -> None:
            super().start(container)
            state.unlink()
            state.mkdir()

    spoiling = Spoiling()
    spoiling.add_image(IMAGE)
    said = deploy(1, socket_path, spoiling, entry, state=str(state))
    assert any(line.startswith("warning:") and str(state) in line for line in said)
    assert player.asked == addresses(spoiling)
