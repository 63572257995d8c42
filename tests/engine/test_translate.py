"""Our values and the engine's JSON, for engines from 20.10 to 28."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from pathlib import Path

import msgspec
import pytest

from agent.engine import translate, wire
from agent.errors import ContainerError, HostError
from agent.host import (
    BuildRequest,
    ContainerInfo,
    ContainerSpec,
    Credentials,
    HealthCommand,
    Network,
    Platform,
    Port,
    Resources,
    Volume,
)

JANE = Credentials(username="jane", password="s3cret")


def info(found: dict[str, object]) -> ContainerInfo:
    return translate.container_info(msgspec.convert({"Id": "c1", **found}, wire.Container))


def test_container_with_nothing_known_is_no_crash() -> None:
    nulls = dict.fromkeys(["Name", "State", "Config", "HostConfig", "NetworkSettings", "Image", "RestartCount"])
    assert info({}) == info(nulls) == ContainerInfo(id="c1", name="", image="", image_id="", state="created")


def test_running_container_is_read() -> None:
    found = info(
        {
            "Name": "/web",
            "Created": "2026-11-23T07:15:07.388042929Z",
            "Image": "sha256:1",
            "RestartCount": 2,
            "State": {
                "Status": "running",
                "StartedAt": "2026-11-23T07:15:08Z",
                "FinishedAt": "0001-01-01T00:00:00Z",
                "Health": {"Status": "unhealthy", "Log": [{"Output": "old"}, {"Output": "refused\n"}]},
            },
            "Config": {"Image": "app:1", "Labels": {"a": "b"}},
            "NetworkSettings": {
                "Ports": {
                    "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}],
                    "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "53"}],
                    "9/tcp": None,
                },
                "IPAddress": "172.17.0.2",
                "Networks": {"bridge": {"IPAddress": "172.17.0.2"}, "x": {"IPAddress": "10.0.0.2"}, "none": None},
            },
        }
    )
    assert (found.name, found.image, found.image_id, found.restarts) == ("web", "app:1", "sha256:1", 2)
    assert found.running
    assert (found.health, found.health_output) == ("unhealthy", "refused")
    assert found.ports == (
        Port(container=53, host=53, address="127.0.0.1", protocol="udp"),
        Port(container=80, host=8080),
    )
    assert found.addresses == ("172.17.0.2", "10.0.0.2")
    assert (found.started, found.finished) == ("2026-11-23T07:15:08Z", "")


def test_stopped_container_shows_the_ports_it_would_publish() -> None:
    bindings = {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "81/tcp": [{"HostIp": "", "HostPort": ""}]}
    found = info({"HostConfig": {"PortBindings": bindings}, "NetworkSettings": {"Ports": {}}})
    assert found.ports == (Port(container=80, host=8080), Port(container=81, host=0))


def test_killed_for_memory_is_said() -> None:
    state = {"Status": "exited", "ExitCode": 137, "OOMKilled": True, "Error": ""}
    assert info({"State": state}).error == "it ran out of memory and was killed"


def test_unknown_states_are_taken_for_the_harmless_ones() -> None:
    found = info({"State": {"Status": "dreaming", "Health": {"Status": "sleepy"}}})
    assert (found.state, found.health) == ("created", "none")


@pytest.mark.parametrize(
    ("test", "expected"),
    [(None, False), ([], False), (["NONE"], False), (["CMD", "x"], True), (["CMD-SHELL", "x"], True)],
)
def test_healthcheck_of_an_image_is_seen(test: list[str] | None, expected: bool) -> None:
    found = msgspec.convert({"Id": "i", "Config": {"Healthcheck": {"Test": test}}}, wire.Image)
    assert translate.image_info(found).has_healthcheck is expected


def test_windows_platform_carries_its_build() -> None:
    version = wire.Version(os="windows", arch="amd64", version="28.0.1")
    found = translate.platform(version, wire.Information(os_version="10.0.20348.2700"))
    assert found == Platform(
        os="windows", architecture="amd64", os_version="10.0.20348.2700", engine_version="28.0.1"
    )


def test_container_is_described_to_the_engine() -> None:
    spec = ContainerSpec(
        name="web",
        image="app:1",
        ports=(Port(container=80, host=8080), Port(container=80, host=9, address="::1"), Port(container=5)),
        environment={"A": "b=c\nd"},
        volumes=(
            Volume(source="/srv/data", target="/data", read_only=True),
            Volume(source="cache", target="/c:d"),
            Volume(source=r"C:\data", target=r"C:\inside"),
            Volume(source=r"\\.\pipe\x", target=r"\\.\pipe\x"),
        ),
        networks=(Network(name="front", aliases=("app",)),),
        labels={"l": "v"},
        command=("serve", "--x"),
        stop_timeout=7,
    )
    config = translate.container_config(spec)
    assert config["Env"] == ["A=b=c\nd"]
    assert config["Cmd"] == ["serve", "--x"]
    assert config["StopTimeout"] == 7
    assert config["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "", "HostPort": "8080"}, {"HostIp": "::1", "HostPort": "9"}],
        "5/tcp": [{"HostIp": "", "HostPort": ""}],
    }
    mounts = [(mount["Type"], mount["Source"], mount["ReadOnly"]) for mount in config["HostConfig"]["Mounts"]]
    assert mounts == [
        ("bind", "/srv/data", True),
        ("volume", "cache", False),
        ("bind", r"C:\data", False),
        ("npipe", r"\\.\pipe\x", False),
    ]
    assert config["HostConfig"]["NetworkMode"] == "front"
    assert config["HostConfig"]["RestartPolicy"] == {"Name": "unless-stopped", "MaximumRetryCount": 0}
    assert config["NetworkingConfig"] == {"EndpointsConfig": {"front": {"Aliases": ["app"]}}}


def test_container_without_extras_leaves_the_images_command() -> None:
    config = translate.container_config(ContainerSpec(name="web", image="app:1"))
    assert "Cmd" not in config
    assert "NetworkingConfig" not in config
    assert "NetworkMode" not in config["HostConfig"]


def test_container_that_is_killed_at_once_says_so() -> None:
    assert translate.container_config(ContainerSpec(name="web", image="app:1", stop_timeout=0))["StopTimeout"] == 0


def test_every_setting_of_a_container_is_told_in_the_engines_units() -> None:
    spec = ContainerSpec(
        name="web",
        image="app:1",
        resources=Resources(memory=512_000_000, memory_swap=-1, cpus=1.5, pids=100),
        health=HealthCommand(command=("ok",), interval=0.5, timeout=2, retries=4, start_period=0.0001),
        log_driver="json-file",
        log_options={"max-size": "1m"},
        extra_hosts={"db": "10.0.0.1"},
        restart="on-failure",
        restart_retries=3,
        isolation="hyperv",
    )
    config = translate.container_config(spec)
    host = config["HostConfig"]
    assert config["Healthcheck"] == {
        "Test": ["CMD", "ok"],
        "Interval": 500_000_000,
        "Timeout": 2_000_000_000,
        "StartPeriod": 1_000_000,
        "Retries": 4,
    }
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"], host["PidsLimit"]) == (
        512_000_000,
        -1,
        1_500_000_000,
        100,
    )
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "1m"}}
    assert host["ExtraHosts"] == ["db:10.0.0.1"]
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert host["Isolation"] == "hyperv"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("web.json", "credentialspec=file://web.json"),
        ("registry://web", "credentialspec=registry://web"),
        ('{"CmsPlugins": []}', 'credentialspec=raw://{"CmsPlugins": []}'),
    ],
)
def test_credential_spec_is_a_file_a_place_or_the_document_itself(given: str, told: str) -> None:
    spec = ContainerSpec(name="web", image="app:1", credential_spec=given)
    assert translate.container_config(spec)["HostConfig"]["SecurityOpt"] == [told]
    assert given not in repr(spec)


def test_build_is_described_without_tags() -> None:
    request = BuildRequest(context=Path(), tags=("a:1",), arguments={"V": "1"}, target="final", pull=True)
    parameters = translate.build_parameters(request)
    assert parameters == {
        "dockerfile": "Dockerfile",
        "rm": "1",
        "forcerm": "1",
        "buildargs": '{"V": "1"}',
        "target": "final",
        "pull": "1",
    }


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("app", ("app", "latest")),
        ("r:8080/app", ("r:8080/app", "latest")),
        ("r:8080/app:1", ("r:8080/app", "1")),
        ("app@sha256:ab", ("app", "sha256:ab")),
        ("app:1@sha256:ab", ("app:1", "sha256:ab")),
    ],
)
def test_reference_is_split_for_the_engine(reference: str, parts: tuple[str, str]) -> None:
    assert translate.split_reference(reference) == parts


@pytest.mark.parametrize("name", ["", "../images/json", "a/b", "a b", "-x", "a?b", "a%2fb", "a\n", "ä"])
def test_container_name_cannot_lead_a_request_astray(name: str) -> None:
    with pytest.raises(ContainerError, match="no container's name"):
        translate.checked_container(name)


@pytest.mark.parametrize(
    "name", ["", "../containers/x", "a/../b", "a//b", "a b", "-x", "a?b", "a#b", "a%2e", "x" * 600]
)
def test_image_name_cannot_lead_a_request_astray(name: str) -> None:
    with pytest.raises(HostError, match="no image reference"):
        translate.checked_image(name)


def test_credentials_travel_in_a_header_only() -> None:
    header = translate.auth_header(JANE)["X-Registry-Auth"]
    assert json.loads(urlsafe_b64decode(header)) == {"username": "jane", "password": "s3cret"}
    nobody = translate.auth_header(None)["X-Registry-Auth"]
    assert json.loads(urlsafe_b64decode(nobody)) == {}
    token = translate.auth_header(Credentials(username="<token>", password="t"))["X-Registry-Auth"]
    assert json.loads(urlsafe_b64decode(token)) == {"identitytoken": "t"}
    table = translate.auth_table_header({"r.io": JANE})["X-Registry-Config"]
    assert json.loads(urlsafe_b64decode(table)) == {"r.io": {"username": "jane", "password": "s3cret"}}
    assert translate.auth_table_header({}) == {}


def test_builds_login_to_docker_hub_goes_by_the_name_that_engines_look_for() -> None:
    table = translate.auth_table_header({"docker.io": JANE})["X-Registry-Config"]
    assert list(json.loads(urlsafe_b64decode(table))) == ["https://index.docker.io/v1/"]


@pytest.mark.parametrize(
    ("mine", "theirs", "clash"),
    [
        ("", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.1", "::", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "10.0.0.1", False),
        ("10.0.0.1", None, True),
    ],
)
def test_ports_clash_where_their_addresses_overlap(mine: str, theirs: str | None, clash: bool) -> None:
    assert translate.overlaps(Port(container=1, host=1, address=mine), theirs) is clash
