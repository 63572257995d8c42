"""Values in, argument lists out: what the docker program is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.engine.command_line.arguments import build_arguments, create_arguments, environment_file, label_filters
from agent.errors import ContainerError
from agent.host import BuildRequest, ContainerSpec, HealthCommand, Network, Port, Resources, Volume


def created(**settings: object) -> list[str]:
    """What is asked for beyond a name and an image, which is followed by entry point and command."""
    spec = ContainerSpec(name="web", image="app:1", **settings)  # type: ignore[arg-type]
    plain = create_arguments(ContainerSpec(name="web", image="app:1"), "linux")
    return [argument for argument in create_arguments(spec, "linux") if argument not in plain[:-1]]


def test_container_is_never_pulled_and_ends_as_it_was_told_to() -> None:
    plain = create_arguments(ContainerSpec(name="web", image="app:1"), "linux")
    assert plain == ["create", "--pull=never", "--name=web", "--restart=unless-stopped", "--stop-timeout=10", "app:1"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"ports": (Port(container=80),)}, ["--publish=80/tcp"]),
        ({"ports": (Port(container=80, host=8080),)}, ["--publish=8080:80/tcp"]),
        ({"ports": (Port(container=53, host=53, address="::1", protocol="udp"),)}, ["--publish=[::1]:53:53/udp"]),
        ({"ports": (Port(container=80, address="127.0.0.1"),)}, ["--publish=127.0.0.1::80/tcp"]),
        ({"volumes": (Volume(source="/a", target="/b"),)}, ["--mount=type=bind,source=/a,target=/b"]),
        ({"volumes": (Volume(source="data", target="/b"),)}, ["--mount=type=volume,source=data,target=/b"]),
        (
            {"volumes": (Volume(source='/a,b"c', target="/b", read_only=True),)},
            ['--mount=type=bind,"source=/a,b""c",target=/b,readonly'],
        ),
        ({"labels": {"a": "b=c, d"}}, ["--label=a=b=c, d"]),
        ({"networks": (Network(name="n", aliases=("x",)),)}, ["--network=n", "--network-alias=x"]),
        ({"networks": (Network(name="n"), Network(name="m"))}, ["--network=n"]),
        ({"restart": "on-failure", "restart_retries": 3}, ["--restart=on-failure:3"]),
        ({"restart": "no"}, ["--restart=no"]),
        (
            {"resources": Resources(memory=1024, memory_swap=2048, cpus=0.5, pids=9)},
            ["--memory=1024", "--memory-swap=2048", "--cpus=0.5", "--pids-limit=9"],
        ),
        ({"user": "1000", "working_dir": "/w", "hostname": "h"}, ["--user=1000", "--workdir=/w", "--hostname=h"]),
        ({"read_only": True, "init": True}, ["--read-only", "--init"]),
        ({"log_driver": "journald", "log_options": {"tag": "x y"}}, ["--log-driver=journald", "--log-opt=tag=x y"]),
        ({"extra_hosts": {"db": "10.0.0.1"}, "dns": ("10.0.0.2",)}, ["--add-host=db:10.0.0.1", "--dns=10.0.0.2"]),
        ({"credential_spec": "web.json"}, ["--security-opt=credentialspec=file://web.json"]),
        ({"isolation": "hyperv", "stop_signal": "SIGINT"}, ["--stop-signal=SIGINT", "--isolation=hyperv"]),
    ],
)
def test_setting_becomes_its_option(settings: dict[str, object], expected: list[str]) -> None:
    assert created(**settings) == [*expected, "app:1"]


def test_entry_point_and_command_follow_the_image() -> None:
    assert created(entrypoint=("sh", "-c"), command=("echo $A", "--x")) == [
        "--entrypoint=sh",
        "app:1",
        "-c",
        "echo $A",
        "--x",
    ]


def test_health_command_is_quoted_for_the_shell_of_its_system() -> None:
    spec = ContainerSpec(name="web", image="app:1", health=HealthCommand(command=("probe", "a b"), start_period=2.5))
    assert "--health-cmd=probe 'a b'" in create_arguments(spec, "linux")
    assert '--health-cmd=probe "a b"' in create_arguments(spec, "windows")
    assert "--health-start-period=2.5s" in create_arguments(spec, "linux")


def test_environment_stands_in_no_argument() -> None:
    assert created(environment={"PASSWORD": "hunter2"}) == ["app:1"]
    assert environment_file({"A": "b c", "D": "=#'\""}) == b"A=b c\nD==#'\"\n"


@pytest.mark.parametrize("value", ["a\nb", "a\rb"])
def test_value_of_several_lines_is_refused_by_name_only(value: str) -> None:
    with pytest.raises(ContainerError, match="the environment variable KEY has several lines") as refused:
        environment_file({"KEY": value})
    assert "a" not in str(refused.value).partition(" has ")[0].removeprefix("the environment variable")


def test_variable_that_is_longer_than_docker_reads_is_refused() -> None:
    longest = {"KEY": "x" * (65_535 - len("KEY="))}
    assert environment_file(longest).endswith(b"x\n")
    with pytest.raises(ContainerError, match="the environment variable KEY is too long") as refused:
        environment_file({"KEY": longest["KEY"] + "x"})
    assert "xx" not in str(refused.value)


def test_build_takes_its_context_from_standard_input() -> None:
    request = BuildRequest(
        context=Path("/nowhere"),
        tags=("app:1",),
        dockerfile="docker/Dockerfile",
        arguments={"V": "a b"},
        target="final",
        platform="linux/amd64",
        pull=True,
        memory=1024,
        cache_from=("app:0",),
    )
    assert build_arguments(request) == [
        "build",
        "--rm",
        "--force-rm",
        "--file=docker/Dockerfile",
        "--target=final",
        "--platform=linux/amd64",
        "--memory=1024",
        "--memory-swap=1024",
        "--pull",
        "--cache-from=app:0",
        "--build-arg=V=a b",
        "-",
    ]


def test_labels_are_asked_for_by_key_or_by_key_and_value() -> None:
    assert label_filters({"slot": "a=b", "role": ""}) == ["--filter=label=slot=a=b", "--filter=label=role"]
