"""Argument lists for the docker command line: values in, lists out. No shell reads them, and no secret is in them.

A name that could be taken for an option never gets here: images and containers are checked before.
"""

from __future__ import annotations

import csv
import io
import shlex
import subprocess
from collections.abc import Iterator, Mapping

from agent.engine.translate import mount_type, security_options
from agent.errors import ContainerError
from agent.host import BuildRequest, ContainerSpec, HealthCommand, OperatingSystem, Port, Volume

_LONGEST_LINE = 65_535


def create_arguments(spec: ContainerSpec, system: OperatingSystem) -> list[str]:
    """`docker create`, without the environment, and in the first network only: see `environment_file`."""
    first = spec.networks[0] if spec.networks else None
    return [
        "create",
        "--pull=never",
        f"--name={spec.name}",
        f"--restart={_restart(spec)}",
        f"--stop-timeout={spec.stop_timeout}",
        *(f"--publish={_port(port)}" for port in spec.ports),
        *(f"--mount={_mount(volume)}" for volume in spec.volumes),
        *(f"--label={name}={value}" for name, value in spec.labels.items()),
        *([f"--network={first.name}"] if first else []),
        *(f"--network-alias={alias}" for alias in (first.aliases if first else ())),
        *(f"--add-host={name}:{address}" for name, address in spec.extra_hosts.items()),
        *(f"--dns={address}" for address in spec.dns),
        *_plain_options(spec),
        *_resources(spec),
        *_privileges(spec),
        *(_health(spec.health, system) if spec.health else ()),
        *([f"--entrypoint={spec.entrypoint[0]}"] if spec.entrypoint else []),
        spec.image,
        *spec.entrypoint[1:],
        *spec.command,
    ]


def build_arguments(request: BuildRequest) -> list[str]:
    """`docker build` by the classic builder, the context on standard input; tags and labels come afterwards."""
    optional = {
        "target": request.target,
        "platform": request.platform,
        "isolation": request.isolation,
        "memory": str(request.memory or ""),
        "memory-swap": str(request.memory or ""),
    }
    return [
        "build",
        "--rm",
        "--force-rm",
        f"--file={request.dockerfile}",
        *(f"--{name}={value}" for name, value in optional.items() if value),
        *(["--pull"] if request.pull else []),
        *(f"--cache-from={reference}" for reference in request.cache_from),
        *(f"--build-arg={name}={value}" for name, value in request.arguments.items()),
        "-",
    ]


def environment_file(environment: Mapping[str, str]) -> bytes:
    """What `--env-file` reads. ContainerError for a value of several lines, or a longer one than it reads."""
    for name, value in environment.items():
        several = "\n" in value or "\r" in value
        if several or len(f"{name}={value}".encode()) > _LONGEST_LINE:
            raise ContainerError(
                f"the environment variable {name} {'has several lines' if several else 'is too long'}, which the "
                "docker command line cannot take; connect with engine=api"
            )
    return "".join(f"{name}={value}\n" for name, value in environment.items()).encode()


def label_filters(labels: Mapping[str, str]) -> list[str]:
    """`--filter=label=…` for each; an empty value asks for the key only."""
    return [f"--filter=label={key}={value}" if value else f"--filter=label={key}" for key, value in labels.items()]


def _plain_options(spec: ContainerSpec) -> Iterator[str]:
    given = {
        "user": spec.user,
        "workdir": spec.working_dir,
        "hostname": spec.hostname,
        "stop-signal": spec.stop_signal,
        "log-driver": spec.log_driver,
        "isolation": spec.isolation,
    }
    yield from (f"--{name}={value}" for name, value in given.items() if value)
    yield from (f"--log-opt={name}={value}" for name, value in spec.log_options.items())
    yield from (["--read-only"] if spec.read_only else [])
    yield from (["--init"] if spec.init else [])


def _resources(spec: ContainerSpec) -> Iterator[str]:
    used = spec.resources
    given = {"memory": used.memory, "memory-swap": used.memory_swap, "cpus": used.cpus, "pids-limit": used.pids}
    yield from (
        f"--{name}={value:g}" if name == "cpus" else f"--{name}={value}" for name, value in given.items() if value
    )
    yield from ([f"--shm-size={used.shared_memory}"] if used.shared_memory else [])
    yield from (f"--ulimit={each.name}={each.soft}:{each.hard}" for each in used.ulimits)
    yield from (f"--tmpfs={':'.join(filter(None, each))}" for each in spec.tmpfs.items())
    yield from (f"--sysctl={name}={value}" for name, value in spec.sysctls.items())


def _privileges(spec: ContainerSpec) -> Iterator[str]:
    given = spec.privileges
    yield from (["--privileged"] if given.everything else [])
    yield from (f"--cap-add={name}" for name in given.added)
    yield from (f"--cap-drop={name}" for name in given.dropped)
    yield from (f"--security-opt={option}" for option in security_options(spec))
    yield from (f"--group-add={group}" for group in given.groups)
    yield from (
        f"--device={':'.join(filter(None, (each.source, each.target, each.permissions)))}" for each in given.devices
    )
    yield from ([f"--gpus={'all' if given.gpus < 0 else given.gpus}"] if given.gpus else [])


def _health(health: HealthCommand, system: OperatingSystem) -> Iterator[str]:
    """The command line takes a text for a shell, where the API takes a list."""
    words = list(health.command)
    yield f"--health-cmd={subprocess.list2cmdline(words) if system == 'windows' else shlex.join(words)}"
    yield f"--health-interval={health.interval:g}s"
    yield f"--health-timeout={health.timeout:g}s"
    yield f"--health-retries={health.retries}"
    yield f"--health-start-period={health.start_period:g}s"


def _restart(spec: ContainerSpec) -> str:
    return f"{spec.restart}:{spec.restart_retries}" if spec.restart_retries else spec.restart


def _port(port: Port) -> str:
    address = f"[{port.address}]" if ":" in port.address else port.address
    host = str(port.host or "")
    before = f"{address}:{host}:" if address else (f"{host}:" if host else "")
    return f"{before}{port.container}/{port.protocol}"


def _mount(volume: Volume) -> str:
    fields = [f"type={mount_type(volume.source)}", f"source={volume.source}", f"target={volume.target}"]
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow([*fields, *(["readonly"] if volume.read_only else [])])
    return row.getvalue()
