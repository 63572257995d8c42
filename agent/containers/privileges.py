"""What a container may do more or less than others, and its folders in memory, as people write them for Docker.

Engines find much of it wrong only when they start the container, with the old one stopped by then; so it is looked
at here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from agent.containers.notation import parse_size
from agent.documents import closest
from agent.errors import InputError
from agent.host import Device, Ulimit

_CAPABILITIES = (
    "ALL", "AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "CHOWN",
    "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE",
    "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST",
    "NET_RAW", "PERFMON", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT",
    "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG",
    "WAKE_ALARM",
)  # fmt: skip
_ULIMITS = (
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
    "rttime", "sigpending", "stack",
)  # fmt: skip
_SECURITY = re.compile(
    r"no-new-privileges(?:=(?:true|false))?|seccomp=unconfined|apparmor=[^=]+"
    r"|label=(?:disable|(?:user|role|type|level|filetype):.+)"
)
_SYSCTL = re.compile(r"net\.[\w./-]+|fs\.mqueue\.\w+|kernel\.(?:msgmax|msgmnb|msgmni|sem|shm\w+)")
_DEVICE = re.compile(r"(?P<source>/dev/[^:]+)(?::(?P<target>/[^:]+))?(?::(?P<permissions>(?!.*(.).*\4)[rwm]{1,3}))?")
_DEVICE_CLASS = re.compile(r"class/[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_TMPFS = re.compile(r"(?P<target>/[^:,]+)(?::(?P<options>.+))?")
_TMPFS_OPTION = re.compile(
    r"rw|ro|exec|noexec|suid|nosuid|dev|nodev|noatime|size=\d{1,3}%|mode=[0-7]{3,4}|(?:uid|gid|nr_inodes)=\d{1,10}"
)


class UlimitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Both of a kernel's limits, as compose files have them."""

    soft: int
    hard: int


def capabilities(names: Iterable[str], field: str) -> tuple[str, ...]:
    """`NET_ADMIN`, `cap_net_admin`, `ALL`; the kernel's, without their prefix."""
    found = tuple(dict.fromkeys(name.strip().upper().removeprefix("CAP_") for name in names))
    for name in found:
        if name not in _CAPABILITIES:
            raise InputError(f"run.{field}: the kernel has no capability '{name}'{_meant(name, _CAPABILITIES)}")
    return found


def security_options(texts: Iterable[str]) -> tuple[str, ...]:
    """`no-new-privileges`, `apparmor=PROFILE`, `label=…`, `seccomp=unconfined`; a colon is as good as the sign."""
    found = tuple(re.sub(r"^([\w-]+)\s*[:=]\s*", r"\1=", text.strip()) for text in texts)
    for text in found:
        if not _SECURITY.fullmatch(text):
            raise InputError(
                f"run.security-opt: '{text[:60]}' is none that can be given here; write no-new-privileges, "
                "apparmor=PROFILE, label=disable or seccomp=unconfined"
            )
    return found


def devices(texts: Iterable[str]) -> tuple[Device, ...]:
    """`/dev/ttyS0`, `/dev/sda:/dev/disk`, `/dev/fuse:/dev/fuse:rw`; on Windows `class/GUID`."""
    return tuple(_device(text.strip()) for text in texts)


def gpus(text: str) -> int:
    """How many, -1 for `all`."""
    if text == "all":
        return -1
    if text and not re.fullmatch(r"\d{1,3}", text):
        raise InputError(f"run.gpus: '{text[:60]}' is no number of them; write how many, or all")
    return int(text or 0)


def ulimits(given: Mapping[str, str | UlimitSettings]) -> tuple[Ulimit, ...]:
    """`nofile: 1024`, `nofile: 1024:4096` (soft and hard), or both by name; -1 is none."""
    return tuple(_ulimit(name.strip().lower(), value) for name, value in given.items())


def tmpfs(texts: Iterable[str]) -> dict[str, str]:
    """Options by folder, of `/run` or `/run:size=64m,mode=1777,noexec`."""
    found: dict[str, str] = {}
    for text in texts:
        match = _TMPFS.fullmatch(text.strip())
        if match is None or match["target"] in found:
            raise InputError(f"run.tmpfs: '{text[:60]}' is no folder, or is given twice; write /run or /run:size=64m")
        found[match["target"]] = ",".join(_tmpfs_option(option) for option in (match["options"] or "").split(","))
    return found


def sysctls(given: Mapping[str, str]) -> dict[str, str]:
    """Those that the kernel keeps for each container, as Docker: `net.*`, `fs.mqueue.*`, IPC's of `kernel.*`."""
    for name in given:
        if not _SYSCTL.fullmatch(name):
            raise InputError(
                f"run.sysctls: '{name[:60]}' is none that a container has for itself; "
                "those are net.*, fs.mqueue.*, kernel.msg*, kernel.sem and kernel.shm*"
            )
    return dict(given)


def _meant(name: str, known: tuple[str, ...]) -> str:
    """All forty would be no help."""
    found = closest(name, known)
    return found if "mean" in found else "; see man 7 capabilities"


def _device(text: str) -> Device:
    if _DEVICE_CLASS.fullmatch(text):
        return Device(source=text)
    match = _DEVICE.fullmatch(text)
    if match is None:
        raise InputError(f"run.devices: '{text[:60]}' is no device; write /dev/HOST or /dev/HOST:/dev/CONTAINER:rwm")
    source = match["source"]
    return Device(source=source, target=match["target"] or source, permissions=match["permissions"] or "rwm")


def _ulimit(name: str, value: str | UlimitSettings) -> Ulimit:
    if name not in _ULIMITS:
        raise InputError(f"run.ulimits: there is no limit '{name[:60]}'{closest(name, _ULIMITS)}")
    if isinstance(value, UlimitSettings):
        soft, hard = value.soft, value.hard
    else:
        match = re.fullmatch(r"(-1|\d{1,18})(?::(-1|\d{1,18}))?", value.strip())
        if match is None:
            raise InputError(f"run.ulimits: {name}: '{value[:60]}' is no limit; write 1024, 1024:4096 or -1")
        soft, hard = int(match[1]), int(match[2] or match[1])
    if not (-1 <= soft < 2**63 and -1 <= hard < 2**63) or (hard >= 0 and not 0 <= soft <= hard):
        raise InputError(f"run.ulimits: {name}: the soft limit {soft} is beyond the hard limit {hard}; lower it")
    return Ulimit(name=name, soft=soft, hard=hard)


def _tmpfs_option(option: str) -> str:
    name, _, value = option.partition("=")
    if name == "size" and not value.endswith("%"):
        return f"size={parse_size(value, 'tmpfs')}"
    if option and not _TMPFS_OPTION.fullmatch(option):
        raise InputError(
            f"run.tmpfs: '{option[:60]}' is no option of it; write size=64m, mode=1777, uid=1000, noexec"
        )
    return option
