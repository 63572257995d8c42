"""What a container may do more or less than others, from how people write it to its specification."""

from __future__ import annotations

import pytest

from agent.containers import RunSettings
from agent.documents import convert
from agent.errors import InputError
from agent.host import ContainerSpec, Device, Privileges, Ulimit

CLASS = "class/5B45201D-F2F2-4F3B-85BB-30FF1F953599"


def specified(**run: object) -> ContainerSpec:
    """Of settings as YAML gives them: texts, lists and mappings."""
    given = {name.replace("_", "-"): value for name, value in run.items()}
    return convert({"name": "web", **given}, RunSettings, where="run").specification("image", "deployments-1", {})


def test_privileges_are_read_as_docker_reads_them() -> None:
    spec = specified(
        cap_add=["NET_ADMIN", "cap_sys_time", "NET_ADMIN"],
        cap_drop=["all"],
        security_opt=["no-new-privileges:true", "apparmor=mine", "label:type:web_t", "seccomp=unconfined"],
        privileged="true",
        group_add=["77", "audio"],
        devices=["/dev/fuse", "/dev/sda:/dev/disk", "/dev/null:/dev/nothing:rw", "/dev/zero:r", CLASS],
        gpus="2",
    )
    assert spec.privileges == Privileges(
        everything=True,
        added=("NET_ADMIN", "SYS_TIME"),
        dropped=("ALL",),
        security=("no-new-privileges=true", "apparmor=mine", "label=type:web_t", "seccomp=unconfined"),
        groups=("77", "audio"),
        devices=(
            Device(source="/dev/fuse", target="/dev/fuse", permissions="rwm"),
            Device(source="/dev/sda", target="/dev/disk", permissions="rwm"),
            Device(source="/dev/null", target="/dev/nothing", permissions="rw"),
            Device(source="/dev/zero", target="/dev/zero", permissions="r"),
            Device(source=CLASS),
        ),
        gpus=2,
    )
    assert specified(gpus="all").privileges.gpus == -1
    assert specified().privileges == Privileges()


def test_limits_are_read_as_docker_and_as_compose_write_them() -> None:
    limits = {"nofile": "1024:4096", "NPROC": "64", "core": "-1", "memlock": {"soft": "5", "hard": "-1"}}
    spec = specified(ulimits=limits, shm_size="64MB")
    assert spec.resources.shared_memory == 64 * 1024**2
    assert spec.resources.ulimits == (
        Ulimit(name="nofile", soft=1024, hard=4096),
        Ulimit(name="nproc", soft=64, hard=64),
        Ulimit(name="core", soft=-1, hard=-1),
        Ulimit(name="memlock", soft=5, hard=-1),
    )


def test_folders_in_memory_have_sizes_as_everything_else_has() -> None:
    spec = specified(tmpfs=["/run", "/tmp:size=64MB,mode=1777,noexec", "/x:size=50%,uid=1000,gid=1000,ro"])
    assert spec.tmpfs == {
        "/run": "",
        "/tmp": "size=67108864,mode=1777,noexec",
        "/x": "size=50%,uid=1000,gid=1000,ro",
    }


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"cap_add": ["NET_ADMINN"]},
            r"run\.cap-add: the kernel has no capability 'NET_ADMINN'; did you mean 'NET_ADMIN'\?",
        ),
        ({"cap_drop": ["root"]}, r"run\.cap-drop: .* 'ROOT'; see man 7 capabilities"),
        ({"security_opt": ["no-new-priviliges"]}, r"run\.security-opt: 'no-new-priviliges' is none"),
        ({"security_opt": ["seccomp=/etc/mine.json"]}, r"run\.security-opt: 'seccomp=/etc/mine\.json' is none"),
        ({"security_opt": ["no-new-privileges=maybe"]}, r"run\.security-opt"),
        ({"security_opt": ["credentialspec=file://x.json"]}, r"run\.security-opt"),
        ({"privileged": "maybe"}, r"run: privileged: expected true or false"),
        ({"devices": ["fuse"]}, r"run\.devices: 'fuse' is no device; write /dev/HOST"),
        ({"devices": ["/dev/fuse:/dev/fuse:rr"]}, r"run\.devices"),
        ({"gpus": "some"}, r"run\.gpus: 'some' is no number of them; write how many, or all"),
        ({"ulimits": {"nofiles": "1"}}, r"run\.ulimits: there is no limit 'nofiles'; did you mean 'nofile'\?"),
        ({"ulimits": {"nofile": "many"}}, r"run\.ulimits: nofile: 'many' is no limit; write 1024, 1024:4096 or -1"),
        ({"ulimits": {"nofile": "5:3"}}, r"run\.ulimits: nofile: the soft limit 5 is beyond the hard limit 3"),
        ({"ulimits": {"nofile": {"soft": "-1", "hard": "3"}}}, r"run\.ulimits: nofile: the soft limit -1 is beyond"),
        ({"ulimits": {"nofile": {"soft": "1"}}}, r"run: ulimits.*'hard' is required"),
        ({"shm_size": "64 Mo"}, r"run\.shm-size: '64 Mo' is not a size"),
        ({"tmpfs": ["run"]}, r"run\.tmpfs: 'run' is no folder"),
        ({"tmpfs": ["/run", "/run:ro"]}, r"run\.tmpfs: '/run:ro' .* given twice"),
        ({"tmpfs": ["/run:size=big"]}, r"run\.tmpfs: 'big' is not a size"),
        ({"tmpfs": ["/run:sise=64m"]}, r"run\.tmpfs: 'sise=64m' is no option of it"),
        ({"tmpfs": ["/run:mode=999"]}, r"run\.tmpfs: 'mode=999'"),
        ({"sysctls": {"kernel.hostname": "x"}}, r"run\.sysctls: 'kernel\.hostname' is none that a container has"),
    ],
)
def test_what_an_engine_would_refuse_at_the_start_is_refused_in_one_line(
    settings: dict[str, object], problem: str
) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        specified(**settings)
    assert "\n" not in str(caught.value)
