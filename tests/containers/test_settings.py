import pytest

from agent.containers import RunSettings
from agent.containers.labels import CONFIGURATION, SPECIFICATION
from agent.containers.settings import parse_port, parse_volume
from agent.errors import InputError
from agent.host import Port, Volume


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
