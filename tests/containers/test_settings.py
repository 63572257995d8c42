import pytest

from agent.containers import HealthSettings, RunSettings
from agent.containers.labels import CONFIGURATION, SPECIFICATION
from agent.containers.notation import NetworkSettings, parse_port, parse_ports, parse_size, parse_volume
from agent.documents import convert
from agent.errors import InputError
from agent.host import HealthCommand, Network, Port, Resources, Volume


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80", Port(container=80)),
        ("8080:80", Port(container=80, host=8080)),
        (":80", Port(container=80)),
        ("127.0.0.1:8080:80", Port(container=80, host=8080, address="127.0.0.1")),
        ("[::1]:8080:80", Port(container=80, host=8080, address="::1")),
        ("53:53/udp", Port(container=53, host=53, protocol="udp")),
    ],
)
def test_ports_are_read_as_docker_reads_them(text: str, expected: Port) -> None:
    assert parse_port(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8000-8001:80-81", ["8000:80", "8001:81"]),
        ("127.0.0.1:8000-8001:80-81/udp", ["127.0.0.1:8000:80/udp", "127.0.0.1:8001:81/udp"]),
        ("[::1]:8000-8001:80-81", ["[::1]:8000:80", "[::1]:8001:81"]),
        ("80-82", ["80", "81", "82"]),
        ("127.0.0.1::80-81", ["127.0.0.1::80", "127.0.0.1::81"]),
    ],
)
def test_a_range_of_ports_is_all_of_them(text: str, expected: list[str]) -> None:
    assert parse_ports([text]) == parse_ports(expected)


@pytest.mark.parametrize("text", ["8000-8002:80-81", "8002-8000:82-80", "1-65535:1-65535", "8000-8010:80", "1-2:3-"])
def test_ranges_that_do_not_fit_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"run\.ports"):
        parse_ports([text])


@pytest.mark.parametrize("text", ["", "web", "80:web", "80:0", "70000:80", "80:80:80:80", "80/sctp", "-1:80"])
def test_what_is_no_port_is_refused_by_name(text: str) -> None:
    with pytest.raises(InputError, match=r"run\.ports"):
        parse_port(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data:/data", Volume(source="data", target="/data")),
        ("/srv/x:/x:ro", Volume(source="/srv/x", target="/x", read_only=True)),
        (r"C:\data:C:\app\data", Volume(source=r"C:\data", target=r"C:\app\data")),
        (r"data:C:\app:ro", Volume(source="data", target=r"C:\app", read_only=True)),
    ],
)
def test_volumes_are_read_for_both_kinds_of_host(text: str, expected: Volume) -> None:
    assert parse_volume(text) == expected


@pytest.mark.parametrize("text", ["data", "data:relative", ":/x"])
def test_what_is_no_volume_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"run\.volumes"):
        parse_volume(text)


@pytest.mark.parametrize("name", ["", "-x", "a b", "x" * 200, "a/b"])
def test_a_name_that_the_engine_would_refuse_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"run\.name"):
        RunSettings(name=name).specification("image", "deployments-1", {})


def test_the_specification_is_the_same_for_the_same_content_only() -> None:
    def hashed(settings: RunSettings, content: str = "c1") -> str:
        return settings.specification("image", "deployments-1", {CONFIGURATION: content}).labels[SPECIFICATION]

    settings = RunSettings(name="web", environment={"A": "1"})
    assert hashed(settings) == hashed(RunSettings(name="web", environment={"A": "1"}))
    assert hashed(settings) != hashed(RunSettings(name="web", environment={"A": "2"}))
    assert hashed(settings) != hashed(settings, "c2")


def test_values_of_the_environment_do_not_show_in_a_representation() -> None:
    spec = RunSettings(name="web", environment={"PASSWORD": "hunter2"}).specification("image", "d-1", {})
    assert "hunter2" not in repr(spec)


def test_every_setting_reaches_the_container() -> None:
    settings = RunSettings(
        name="web",
        network="front",
        aliases=["shop"],
        networks=["back", NetworkSettings(name="third", aliases=["a", "b"])],
        restart="on-failure",
        restart_retries=3,
        entrypoint=["/init"],
        command=["serve"],
        user="app",
        working_dir="/srv",
        hostname="shop",
        stop_timeout=30,
        stop_signal="SIGQUIT",
        memory="512MB",
        memory_swap="1g",
        cpus=1.5,
        pids=100,
        log_driver="json-file",
        log_options={"max-size": "10m"},
        extra_hosts={"db": "10.0.0.1"},
        dns=["10.0.0.2"],
        read_only=True,
        init=True,
        isolation="process",
        credential_spec="web.json",
        labels={"team": "shop"},
        health=HealthSettings(command=["check"], command_interval=2, retries=5),
    )
    spec = settings.specification("image", "deployments-1", {"Octopus.Project.Id": "Projects-1"})
    assert spec.networks == (
        Network(name="front", aliases=("shop",)),
        Network(name="back"),
        Network(name="third", aliases=("a", "b")),
    )
    assert spec.resources == Resources(memory=512 * 1024**2, memory_swap=1024**3, cpus=1.5, pids=100)
    assert spec.health == HealthCommand(command=("check",), interval=2, timeout=5, retries=5)
    assert spec.labels.items() >= {"team": "shop", "Octopus.Project.Id": "Projects-1"}.items()
    copied = ("restart", "restart_retries", "user", "working_dir", "hostname", "stop_timeout", "stop_signal")
    logs = ("log_driver", "log_options", "extra_hosts", "read_only", "init", "isolation", "credential_spec")
    assert {name: getattr(spec, name) for name in (*copied, *logs)} == {
        name: getattr(settings, name) for name in (*copied, *logs)
    }
    assert (spec.entrypoint, spec.command, spec.dns) == (("/init",), ("serve",), ("10.0.0.2",))


@pytest.mark.parametrize(
    "changed",
    [
        {"memory": "6MB"},
        {"cpus": "1"},
        {"networks": ["x"]},
        {"labels": {"a": "b"}},
        {"user": "u"},
        {"init": "true"},
        {"stop-signal": "SIGINT"},
        {"restart": "on-failure", "restart-retries": "1"},
        {"health": {"command": ["x"]}},
        {"health": {"http": "/x"}},
        {"credential-spec": "x"},
        {"log-options": {"a": "b"}},
        {"shm-size": "64m"},
        {"ulimits": {"nofile": "9"}},
        {"tmpfs": ["/run"]},
        {"sysctls": {"net.core.somaxconn": "256"}},
        {"cap-add": ["KILL"]},
        {"cap-drop": ["KILL"]},
        {"security-opt": ["no-new-privileges"]},
        {"privileged": "true"},
        {"group-add": ["77"]},
        {"devices": ["/dev/fuse"]},
        {"gpus": "all"},
    ],
)
def test_any_changed_setting_makes_another_specification(changed: dict[str, object]) -> None:
    def hashed(extra: dict[str, object]) -> str:
        settings = convert({"name": "web", **extra}, RunSettings, where="run")
        return settings.specification("image", "deployments-1", {}).labels[SPECIFICATION]

    assert hashed(changed) != hashed({})
    assert hashed({"keep": "1"}) == hashed({})


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", 0),
        ("1048576", 1048576),
        ("512MB", 512 * 1024**2),
        ("1.5 GiB", 3 * 512 * 1024**2),
        ("64k", 65536),
        ("7B", 7),
    ],
)
def test_sizes_are_read_as_docker_reads_them(text: str, size: int) -> None:
    assert parse_size(text, "memory") == size


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memory": "512 Mo"}, r"run\.memory: '512 Mo' is not a size; write a number and a unit"),
        ({"memory": "9999999999T"}, r"run\.memory: .* more than any machine has"),
        ({"memory": "4k"}, r"run\.memory: '4k' is too little"),
        ({"memory-swap": "1g"}, r"run\.memory-swap: it goes together with run\.memory"),
        ({"memory": "1g", "memory-swap": "512m"}, r"run\.memory-swap: .* at least 1g"),
        ({"cpus": "-1"}, r"run\.cpus: it is -1\.0; write 0 or more"),
        ({"cpus": "nan"}, r"run\.cpus: it is nan"),
        ({"cpus": "many"}, r"run: cpus: expected a number"),
        ({"stop-timeout": "1m"}, r"run: stop-timeout: expected a whole number"),
        ({"restart": "alway"}, r"run: restart: 'alway' is none of its values; did you mean 'always'\?"),
        ({"restart-retries": "3"}, r"run\.restart-retries: only a container with restart: on-failure"),
        ({"memmory": "1g"}, r"run: unknown key 'memmory'; did you mean 'memory'\?"),
        ({"aliases": ["x"]}, r"run\.aliases: they are names in run\.network"),
        ({"network": "a", "networks": ["a"]}, r"run\.networks: 'a' is given twice"),
        ({"ports": ["80:80", "80:81"]}, r"run\.ports: the host's port 80 is published twice"),
        ({"labels": {"dockwright.slot": "x"}}, r"run\.labels: 'dockwright\.slot' is dockwright's own"),
        ({"environment": {"A=B": "x"}}, r"run\.environment: 'A=B' is no name"),
        ({"health": {"htp": "/"}}, r"run: health: unknown key 'htp'; did you mean 'http'\?"),
        ({"health": {"http": "/a b"}}, r"run\.health\.http: write a path as /healthz"),
        ({"health": {"successes": "0"}}, r"run\.health\.successes: write 1 or more"),
        ({"health": {"interval": "0"}}, r"run\.health\.interval: write more than 0"),
        ({"health": {"watch": "-1"}}, r"run\.health\.watch: write 0 or more"),
        ({"health": {"timeout": "inf"}}, r"run\.health\.timeout: write 0 or more"),
    ],
)
def test_what_cannot_be_is_refused_by_the_fields_name(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        convert({"name": "web", **settings}, RunSettings, where="run").specification("image", "deployments-1", {})
