"""The variables of Octopus's Docker steps, as settings."""

from __future__ import annotations

import pytest

from agent.containers import RunSettings, run_settings
from agent.containers.docker_options import run_options, words
from agent.containers.octopus import octopus_settings
from agent.errors import InputError, VariablesError
from agent.variables import Variables

DOCKER = "Octopus.Action.Docker."


def given(**values: str) -> Variables:
    return Variables.of({**{DOCKER + name: value for name, value in values.items()}, "Secret": 'a"b'}, ["Secret"])


def settings(inputs: dict[str, object], **values: str) -> RunSettings:
    found = run_settings({}, {"name": "web", **inputs}, given(**values), "sdi.yaml")
    assert found is not None
    return found


def test_everything_the_run_step_was_told_is_taken_over() -> None:
    found = settings(
        {},
        PortMapping='{"80":"8080","53/udp":""}',
        EnvVariable='{"MODE":"fast","PASSWORD":"#{Secret}"}',
        VolumeBindings='{"/data":{"host":"/srv/data","readOnly":"True","noCopy":""},"/cache":{"host":"cache"}}',
        AddedHost='{"10.0.0.1":"database"}',
        NetworkType="network",
        NetworkName="front",
        NetworkAlias="shop",
        RestartPolicy="on-failure",
        RestartPolicyMax="4",
        Command='serve --title "my shop"',
        Args="--memory 512m --cpus=1.5 -u app -e A=b=c",
        StopTimeout="30",
        DontRun="False",
        PortAutoMap="",
    )
    assert found == RunSettings(
        name="web",
        ports=["8080:80", "53/udp"],
        environment={"MODE": "fast", "PASSWORD": 'a"b'},
        volumes=["/srv/data:/data:ro", "cache:/cache"],
        extra_hosts={"database": "10.0.0.1"},
        network="front",
        aliases=["shop"],
        restart="on-failure",
        restart_retries=4,
        command=["serve", "--title", "my shop"],
        memory="512m",
        cpus=1.5,
        user="app",
        stop_timeout=30,
    )
    found.specification("image", "deployments-1", {})


def test_inputs_win_over_the_package_and_both_over_variables() -> None:
    variables = given(PortMapping='{"80":"8080"}', Command="serve", StopTimeout="30")
    found = run_settings(
        {"name": "web", "command": ["a"], "ports": ["1:1"]}, {"command": ["b"]}, variables, "sdi.yaml"
    )
    assert found == RunSettings(name="web", command=["b"], ports=["1:1"], stop_timeout=30)


def test_who_names_a_network_gets_no_alias_from_elsewhere() -> None:
    found = settings({"networks": ["back"]}, NetworkType="network", NetworkName="front", NetworkAlias="shop")
    assert (found.network, found.aliases, found.networks) == ("", [], ["back"])


def test_variables_alone_run_nothing() -> None:
    assert run_settings({}, None, given(PortMapping='{"80":"8080"}'), "sdi.yaml") is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"PortMapping": "8080:80"}, r"Docker\.PortMapping: it is not JSON"),
        ({"EnvVariable": "[1]"}, r"Docker\.EnvVariable: it is not a JSON object"),
        ({"VolumeBindings": '{"/data":{}}'}, r"Docker\.VolumeBindings: /data has no host folder"),
        ({"VolumesFrom": "other"}, r"Docker\.VolumesFrom is not done here; list the volumes"),
        ({"DontRun": "True"}, r"Docker\.DontRun is not done here"),
        ({"NetworkType": "overlay"}, r"Docker\.NetworkType: 'overlay' is none of"),
        ({"NetworkType": "network"}, r"Docker\.NetworkName must say which"),
        ({"StopTimeout": "soon"}, r"Docker\.StopTimeout: 'soon' is not a whole number"),
        ({"Args": "--pid"}, r"Docker\.Args: '--pid' is no option that can be taken over"),
        ({"Args": "--memry 5m"}, r"did you mean 'memory'\?"),
        ({"Args": "--memory"}, r"--memory has no value"),
        ({"Command": "say 'hello"}, r"Docker\.Command: a quote is opened"),
        ({"RestartPolicy": "alway"}, r"run: restart: 'alway' is none of its values; did you mean 'always'\?"),
    ],
)
def test_what_cannot_be_taken_over_is_named(values: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        settings({}, **values)


def test_variable_that_a_value_needs_is_missed_by_name() -> None:
    with pytest.raises(VariablesError, match=r"Nowhere\} \(in Octopus\.Action\.Docker\.EnvVariable\.A\)"):
        octopus_settings(given(EnvVariable='{"A":"#{Nowhere}"}'))


def test_secret_in_what_is_not_json_is_not_shown() -> None:
    with pytest.raises(InputError) as refused:
        octopus_settings(given(EnvVariable="hunter2"))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("-d --init --read-only=true", {"init": "true", "read-only": "true"}),
        ("-p 1:2 --publish=3:4", {"ports": ["1:2", "3:4"]}),
        (
            "--add-host db:10.0.0.1 -l a=b --log-opt max-size=1m",
            {"extra-hosts": {"db": "10.0.0.1"}, "labels": {"a": "b"}, "log-options": {"max-size": "1m"}},
        ),
        ("--restart on-failure:3", {"restart": "on-failure", "restart-retries": "3"}),
        ("-m512m --memory-swap -1", {"memory": "512m", "memory-swap": "unlimited"}),
        (
            "--privileged --cap-add NET_ADMIN --cap-add=SYS_TIME --tmpfs /run:size=64m --device=/dev/fuse --gpus all",
            {
                "privileged": "true",
                "cap-add": ["NET_ADMIN", "SYS_TIME"],
                "tmpfs": ["/run:size=64m"],
                "devices": ["/dev/fuse"],
                "gpus": "all",
            },
        ),
        (
            "--ulimit nofile=1024:4096 --sysctl net.core.somaxconn=256 --shm-size 1g --cap-drop ALL --group-add 77",
            {
                "ulimits": {"nofile": "1024:4096"},
                "sysctls": {"net.core.somaxconn": "256"},
                "shm-size": "1g",
                "cap-drop": ["ALL"],
                "group-add": ["77"],
            },
        ),
        ("--security-opt no-new-privileges:true", {"security-opt": ["no-new-privileges:true"]}),
    ],
)
def test_options_of_docker_run_become_settings(text: str, expected: dict[str, object]) -> None:
    assert run_options(text, "Args") == expected


def test_windows_paths_keep_their_backslashes() -> None:
    assert words(r'"C:\Program Files\app.exe" C:\data', "Command") == [r"C:\Program Files\app.exe", r"C:\data"]
