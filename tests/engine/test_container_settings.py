"""What every setting of a container does, seen from inside it or told by the engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from agent.errors import ContainerError
from agent.host import ContainerSpec, Device, HealthCommand, Network, Privileges, Resources, Ulimit
from linux.sandbox import Sandbox
from linux.sandbox.engine_call import EngineSocket
from tests.engine.peers import Peer
from tests.patience import eventually


@pytest.fixture
def engine(sandbox: Sandbox) -> EngineSocket:
    return EngineSocket(sandbox.host.removeprefix("unix://"))


@pytest.fixture
def network(engine: EngineSocket, unique_name: Callable[[str], str]) -> Iterator[Callable[[], str]]:
    made: list[str] = []

    def make() -> str:
        made.append(unique_name("net"))
        status, answer = engine.call("POST", "/networks/create", body={"Name": made[-1]})
        assert status == 201, answer
        return made[-1]

    yield make
    for name in made:
        engine.call("DELETE", f"/networks/{name}")


def inspected(engine: EngineSocket, name: str) -> dict[str, Any]:
    status, answer = engine.call("GET", f"/containers/{name}/json")
    assert status == 200
    return json.loads(answer)  # type: ignore[no-any-return]


def printed(peer: Peer, spec: ContainerSpec) -> list[str]:
    """What it prints until it ends."""
    lines: list[str] = []
    peer.host.create(spec)
    peer.host.start(spec.name)
    peer.host.follow(spec.name, lines.append)
    return lines


def test_process_runs_as_it_was_told(real_peer: Peer) -> None:
    script = 'echo "$0 $(id -u):$(id -g) $(hostname) $(pwd)"'
    spec = replace(
        real_peer.spec("-c", script, "zero"),
        entrypoint=("sh",),
        user="65:66",
        hostname="elsewhere",
        working_dir="/bin",
    )
    assert printed(real_peer, spec) == ["zero 65:66 elsewhere /bin"]


def test_names_are_known_inside(real_peer: Peer) -> None:
    script = "grep database /etc/hosts; grep nameserver /etc/resolv.conf"
    spec = replace(
        real_peer.spec("sh", "-c", script), extra_hosts={"database": "10.1.2.3"}, dns=("10.9.9.9", "10.9.9.8")
    )
    lines = [line.split() for line in printed(real_peer, spec)]
    assert lines == [["10.1.2.3", "database"], ["nameserver", "10.9.9.9"], ["nameserver", "10.9.9.8"]]


def test_read_only_container_writes_nothing(real_peer: Peer) -> None:
    spec = replace(real_peer.spec("sh", "-c", "touch /x 2>/dev/null || echo refused"), read_only=True)
    assert printed(real_peer, spec) == ["refused"]


def test_init_comes_before_the_command(real_peer: Peer) -> None:
    spec = replace(real_peer.spec("sh", "-c", "test $$ -ne 1 && echo not the first"), init=True)
    assert printed(real_peer, spec) == ["not the first"]


def test_limits_reach_the_engine(real_peer: Peer, engine: EngineSocket) -> None:
    limits = Resources(memory=64_000_000, memory_swap=128_000_000, cpus=0.5, pids=50)
    spec = replace(
        real_peer.spec(),
        resources=limits,
        restart="on-failure",
        restart_retries=2,
        log_driver="json-file",
        log_options={"max-size": "1m"},
    )
    real_peer.host.create(spec)
    host = inspected(engine, spec.name)["HostConfig"]
    assert host["Memory"] == pytest.approx(limits.memory, abs=4096)
    assert host["NanoCpus"] == 500_000_000
    assert host["PidsLimit"] == 50
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 2}
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "1m"}}


def test_container_has_the_rights_it_was_given_and_no_more(real_peer: Peer) -> None:
    script = "grep -E '^(CapBnd|NoNewPrivs):' /proc/self/status; id -G; echo x > /dev/nothing && echo written"
    spec = replace(
        real_peer.spec("sh", "-c", script),
        user="65:66",
        privileges=Privileges(
            dropped=("ALL",),
            added=("NET_BIND_SERVICE",),
            security=("no-new-privileges=true",),
            groups=("77",),
            devices=(Device(source="/dev/null", target="/dev/nothing", permissions="rw"),),
        ),
    )
    lines = [line.split() for line in printed(real_peer, spec)]
    assert lines == [["CapBnd:", "0000000000000400"], ["NoNewPrivs:", "1"], ["66", "77"], ["written"]]


def test_container_has_its_limits_and_its_folders_in_memory(real_peer: Peer) -> None:
    script = (
        "ulimit -n; ulimit -Hn; cat /proc/sys/net/core/somaxconn;"
        ' awk \'$2 == "/scratch" || $2 == "/dev/shm" || $2 == "/plain" {print $2, $3, $4}\' /proc/mounts'
    )
    spec = replace(
        real_peer.spec("sh", "-c", script),
        resources=Resources(shared_memory=8 * 1024**2, ulimits=(Ulimit(name="nofile", soft=100, hard=200),)),
        tmpfs={"/scratch": "size=1048576,mode=700,noexec", "/plain": ""},
        sysctls={"net.core.somaxconn": "99"},
    )
    soft, hard, connections, *mounts = printed(real_peer, spec)
    assert (soft, hard, connections) == ("100", "200", "99")
    found = {folder: (kind, options.split(",")) for folder, kind, options in map(str.split, mounts)}
    assert {folder: kind for folder, (kind, _) in found.items()} == dict.fromkeys(
        ("/dev/shm", "/scratch", "/plain"),
        "tmpfs",
    )
    assert "size=8192k" in found["/dev/shm"][1]
    assert {"size=1024k", "mode=700", "noexec"} <= set(found["/scratch"][1])


def test_what_only_some_machines_can_give_reaches_the_engine(real_peer: Peer, engine: EngineSocket) -> None:
    spec = replace(real_peer.spec(), privileges=Privileges(everything=True, gpus=-1))
    real_peer.host.create(spec)
    host = inspected(engine, spec.name)["HostConfig"]
    assert host["Privileged"] is True
    (request,) = host["DeviceRequests"]
    assert (request["Count"], request["Capabilities"]) == (-1, [["gpu"]])


def test_capability_that_the_kernel_has_not_leaves_no_container(real_peer: Peer) -> None:
    spec = replace(real_peer.spec(), privileges=Privileges(added=("FLY",)))
    with pytest.raises(ContainerError, match="CAP_FLY") as caught:
        real_peer.host.create(spec)
    assert "\n" not in str(caught.value)
    assert real_peer.host.inspect(spec.name) is None


def test_stop_signal_is_the_one_asked_for(real_peer: Peer) -> None:
    script = "trap 'echo got it; exit 0' USR1; echo ready; while :; do sleep 0.1; done"
    spec = replace(real_peer.spec("sh", "-c", script), stop_signal="SIGUSR1")
    real_peer.host.create(spec)
    real_peer.host.start(spec.name)
    eventually(lambda: real_peer.host.logs(spec.name, 1) == ["ready"])
    real_peer.host.stop(spec.name, 10)
    assert real_peer.host.logs(spec.name, 1) == ["got it"]


def test_one_that_ignores_its_signal_is_killed(real_peer: Peer) -> None:
    name = real_peer.started("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
    eventually(lambda: real_peer.host.logs(name, 1) == ["ready"])
    real_peer.host.stop(name, 1)
    ended = real_peer.host.inspect(name)
    assert ended is not None
    assert (ended.state, ended.exit_code) == ("exited", 137)


def test_retries_of_a_restart_come_to_an_end(peer: Peer) -> None:
    spec = replace(peer.spec("sh", "-c", "exit 7"), restart="on-failure", restart_retries=1)
    if peer.image == "base:1":
        spec = replace(spec, command=("sh", "-c", "echo out; echo last words >&2; exit 3"))
    peer.host.create(spec)
    peer.host.start(spec.name)
    eventually(lambda: (found := peer.host.inspect(spec.name)) is not None and found.state == "exited")
    found = peer.host.inspect(spec.name)
    assert found is not None
    assert found.restarts == 1


@pytest.mark.parametrize(
    ("command", "health"), [(("true",), "healthy"), (("sh", "-c", "echo sick; exit 1"), "unhealthy")]
)
def test_given_command_judges_the_health(real_peer: Peer, command: tuple[str, ...], health: str) -> None:
    check = HealthCommand(command=command, interval=0.1, timeout=5, retries=1)
    spec = replace(real_peer.spec(), health=check)
    real_peer.host.create(spec)
    real_peer.host.start(spec.name)
    eventually(lambda: (found := real_peer.host.inspect(spec.name)) is not None and found.health == health)


def test_container_is_in_all_its_networks_under_its_aliases(real_peer: Peer, network: Callable[[], str]) -> None:
    front, back = network(), network()
    spec = replace(
        real_peer.spec(),
        networks=(Network(name=front, aliases=("shop", "web")), Network(name=back, aliases=("api",))),
    )
    created = real_peer.host.create(spec)
    real_peer.host.start(spec.name)
    running = real_peer.host.inspect(created.id)
    assert running is not None
    assert len(running.addresses) == 2
    for place, alias in ((front, "web"), (back, "api")):
        asks = replace(real_peer.spec("ping", "-c", "1", alias), networks=(Network(name=place),))
        real_peer.host.create(asks)
        real_peer.host.start(asks.name)
        assert real_peer.host.wait(asks.name, 20) == 0, real_peer.host.logs(asks.name, 5)


def test_network_that_is_not_there_leaves_no_container(real_peer: Peer, network: Callable[[], str]) -> None:
    missing = real_peer.name("nowhere")
    spec = replace(real_peer.spec(), networks=(Network(name=network()), Network(name=missing)))
    with pytest.raises(ContainerError, match=f"there is no network {missing}"):
        real_peer.host.create(spec)
    assert real_peer.host.inspect(spec.name) is None
