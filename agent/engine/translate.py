"""Between our values and the engine's JSON: pure functions, so that they can be tested without an engine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast, get_args

from agent.engine import wire
from agent.errors import ContainerError, HostError
from agent.host import (
    BuildRequest,
    ContainerInfo,
    ContainerSpec,
    ContainerState,
    Credentials,
    Device,
    Health,
    HealthCommand,
    ImageInfo,
    Platform,
    Port,
    Privileges,
)

_EVERY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  compared with, not bound to
_NOTHING: tuple[object, ...] = (None, "", 0, [], {})
"""What a field holds that leaves the choice to the image or the engine."""
_SHORTEST = 1_000_000  # nanoseconds: engines refuse times of a health check below a millisecond
_NEVER = "0001-01-01T00:00:00Z"
_CONTAINER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
_IMAGE_NAME = re.compile(r"(?!.*(?://|/\.))[A-Za-z0-9\[][A-Za-z0-9._:/@\[\]-]*\Z")


def container_info(found: wire.Container) -> ContainerInfo:
    state = found.state or wire.State()
    config = found.config or wire.Config()
    health = state.health or wire.HealthState()
    return ContainerInfo(
        id=found.id,
        name=(found.name or "").lstrip("/"),
        image=config.image or "",
        image_id=found.image or "",
        state=_state(state.status),
        health=_health(health.status),
        exit_code=state.exit_code or 0,
        error=state.error or ("it ran out of memory and was killed" if state.oom_killed else ""),
        labels=config.labels or {},
        ports=_published(found),
        addresses=_addresses(found.network_settings),
        created=_time(found.created),
        started=_time(state.started_at),
        finished=_time(state.finished_at),
        restarts=found.restart_count or 0,
        health_output=((health.log or [wire.HealthEntry()])[-1].output or "").strip(),
        stop_timeout=10 if config.stop_timeout is None else max(0, config.stop_timeout),
        environment=dict(entry.partition("=")[::2] for entry in config.env or ()),
    )


def image_info(found: wire.Image) -> ImageInfo:
    config = found.config or wire.Config()
    test = (config.healthcheck.test if config.healthcheck else None) or []
    return ImageInfo(
        id=found.id,
        tags=tuple(found.repo_tags or ()),
        digests=tuple(found.repo_digests or ()),
        labels=config.labels or {},
        size=found.size or 0,
        os=found.os or "",
        architecture=found.architecture or "",
        os_version=found.os_version or "",
        has_healthcheck=bool(test) and test != ["NONE"],
        build_triggers=bool(config.on_build),
        exposed_ports=tuple(sorted(config.exposed_ports or ())),
        parent=found.parent or "",
        command=" ".join((found.container_config and found.container_config.cmd) or ()),
        created=found.created or "",
    )


def is_as_specified(found: ContainerInfo, spec: ContainerSpec) -> bool:
    """Whether it is the container that was to be made, and not another of its name."""
    return (
        found.state == "created"
        and found.image == spec.image
        and found.labels.items() >= spec.labels.items()
        and found.environment.items() >= spec.environment.items()
    )


def platform(version: wire.Version, information: wire.Information) -> Platform:
    """`os_version` is filled for Windows only: there an image must fit the host's build."""
    windows = version.os == "windows"
    return Platform(
        os="windows" if windows else "linux",
        architecture=version.arch or "",
        os_version=(information.os_version or "") if windows else "",
        engine_version=version.version or "",
    )


def container_config(spec: ContainerSpec) -> dict[str, Any]:
    """The body of `POST /containers/create`.

    Binds go as mounts: a source that is not there is then an error, where the older form would create it as
    an empty folder, and colons in paths need no quoting.
    """
    first = spec.networks[0] if spec.networks else None
    given: dict[str, Any] = {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "Labels": dict(spec.labels),
        "StopSignal": spec.stop_signal,
        "ExposedPorts": {_port_key(port): {} for port in spec.ports},
        "Entrypoint": list(spec.entrypoint),
        "Cmd": list(spec.command),
        "User": spec.user,
        "WorkingDir": spec.working_dir,
        "Hostname": spec.hostname,
        "Healthcheck": _healthcheck(spec.health),
        "HostConfig": _host_config(spec),
        "NetworkingConfig": {"EndpointsConfig": {first.name: {"Aliases": list(first.aliases)}}}
        if first and first.aliases
        else None,
    }
    return {"StopTimeout": spec.stop_timeout} | {key: value for key, value in given.items() if value not in _NOTHING}


def build_parameters(request: BuildRequest) -> dict[str, str]:
    """The query of `POST /build`, without tags and labels: these are given once the image is whole."""
    optional = {
        "buildargs": json.dumps(dict(request.arguments)) if request.arguments else "",
        "target": request.target,
        "platform": request.platform,
        "pull": "1" if request.pull else "",
        "cachefrom": json.dumps(request.cache_from) if request.cache_from else "",
        "memory": str(request.memory or ""),
        "memswap": str(request.memory or ""),  # no swap beside it, or the limit would be none
        "isolation": request.isolation,
    }
    always = {"dockerfile": request.dockerfile, "rm": "1", "forcerm": "1"}
    return always | {name: value for name, value in optional.items() if value}


def auth_header(credentials: Credentials | None) -> dict[str, str]:
    """`X-Registry-Auth` for one request. Without credentials it says so, lest somebody's login be used."""
    return {"X-Registry-Auth": _encoded(_login(credentials))}


def auth_table_header(table: Mapping[str, Credentials]) -> dict[str, str]:
    """`X-Registry-Config` for a build, which may pull from several registries."""
    if not table:
        return {}
    return {"X-Registry-Config": _encoded({login_server(name): _login(value) for name, value in table.items()})}


def split_reference(reference: str) -> tuple[str, str]:
    """(repository, tag or digest), `latest` where neither is given.

    >>> split_reference("registry:8080/app")
    ('registry:8080/app', 'latest')
    """
    name, at, digest = reference.partition("@")
    if at:
        return name, digest
    slash = name.rfind("/")
    colon = name.rfind(":")
    return (name[:colon], name[colon + 1 :]) if colon > slash else (name, "latest")


def registry_of(reference: str) -> str:
    """The registry that Docker takes a reference to mean; logins are known by it.

    >>> registry_of("shop/web:1"), registry_of("registry:8080/web:1")
    ('docker.io', 'registry:8080')
    """
    first, slash, _ = reference.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named else "docker.io"


def login_server(registry: str) -> str:
    """By what Docker finds a registry's login among others: Docker Hub goes by the address of its first index."""
    return "https://index.docker.io/v1/" if registry in ("docker.io", "index.docker.io") else registry


def checked_container(name: str) -> str:
    """The name, if it cannot lead a request astray: it becomes part of a URL's path."""
    if not _CONTAINER_NAME.match(name):
        raise ContainerError(f"{name[:100]!r} is no container's name: letters, digits, '_', '.', '-' only")
    return name


def checked_image(reference: str) -> str:
    if len(reference) > 512 or not _IMAGE_NAME.match(reference):
        raise HostError(f"{reference[:100]!r} is no image reference; give it as registry/repository:tag")
    return reference


def overlaps(port: Port, address: str | None) -> bool:
    """Whether something published on `address` is in the way of `port`."""
    return port.address in _EVERY_ADDRESS or (address or "") in _EVERY_ADDRESS or port.address == address


def label_filters(labels: Mapping[str, str]) -> dict[str, list[str]]:
    return {"label": [f"{key}={value}" if value else key for key, value in labels.items()]}


def _state(status: str | None) -> ContainerState:
    return cast(ContainerState, status) if status in get_args(ContainerState) else "created"


def _health(status: str | None) -> Health:
    return cast(Health, status) if status in get_args(Health) else "none"


def _time(text: str | None) -> str:
    return "" if text in (None, _NEVER) else str(text)


def _published(found: wire.Container) -> tuple[Port, ...]:
    """The live ports of one that runs, the configured ones of one that does not."""
    live = found.network_settings.ports if found.network_settings else None
    configured = found.host_config.port_bindings if found.host_config else None
    return tuple(dict.fromkeys(_ports(live if any((live or {}).values()) else configured or {})))


def _ports(table: wire.PortMap | None) -> Iterable[Port]:
    for key, bindings in sorted((table or {}).items()):
        number, _, protocol = key.partition("/")
        for binding in bindings or ():
            address = binding.host_ip or ""
            host = binding.host_port or "0"
            if number.isdigit() and host.isdigit():
                yield Port(
                    container=int(number),
                    host=int(host),
                    address="" if address in _EVERY_ADDRESS else address,
                    protocol="udp" if protocol == "udp" else "tcp",
                )


def _addresses(settings: wire.NetworkSettings | None) -> tuple[str, ...]:
    if settings is None:
        return ()
    endpoints = [endpoint for endpoint in (settings.networks or {}).values() if endpoint]
    found = [endpoint.address for endpoint in endpoints] + [settings.address]
    found += [endpoint.address6 for endpoint in endpoints]
    return tuple(dict.fromkeys(address for address in found if address))


def _host_config(spec: ContainerSpec) -> dict[str, Any]:
    used = spec.resources
    logs = {"Type": spec.log_driver, "Config": dict(spec.log_options)}
    given: dict[str, Any] = {
        "PortBindings": _bindings(spec.ports),
        "RestartPolicy": {"Name": spec.restart, "MaximumRetryCount": spec.restart_retries},
        "Mounts": [_mount(v.source, v.target, read_only=v.read_only) for v in spec.volumes],
        "NetworkMode": spec.networks[0].name if spec.networks else "",
        "Memory": used.memory,
        "MemorySwap": used.memory_swap,
        "NanoCpus": round(used.cpus * 1_000_000_000),
        "PidsLimit": used.pids,
        "LogConfig": logs if spec.log_driver or spec.log_options else None,
        "ExtraHosts": [f"{name}:{address}" for name, address in spec.extra_hosts.items()],
        "Dns": list(spec.dns),
        "ReadonlyRootfs": spec.read_only,
        "Init": spec.init,
        "Isolation": spec.isolation,
        "ShmSize": used.shared_memory,
        "Ulimits": [{"Name": each.name, "Soft": each.soft, "Hard": each.hard} for each in used.ulimits],
        "Tmpfs": dict(spec.tmpfs),
        "Sysctls": dict(spec.sysctls),
        "SecurityOpt": security_options(spec),
        **_privileges(spec.privileges),
    }
    return {key: value for key, value in given.items() if value not in _NOTHING}


def security_options(spec: ContainerSpec) -> list[str]:
    credentials = [credential_option(spec.credential_spec)] if spec.credential_spec else []
    return [*credentials, *spec.privileges.security]


def _privileges(given: Privileges) -> dict[str, Any]:
    return {
        "Privileged": given.everything,
        "CapAdd": list(given.added),
        "CapDrop": list(given.dropped),
        "GroupAdd": list(given.groups),
        "Devices": [_device(each) for each in given.devices],
        "DeviceRequests": [{"Count": given.gpus, "Capabilities": [["gpu"]]}] if given.gpus else [],
    }


def _device(device: Device) -> dict[str, str]:
    return {
        "PathOnHost": device.source,
        "PathInContainer": device.target,
        "CgroupPermissions": device.permissions,
    }


def _healthcheck(health: HealthCommand | None) -> dict[str, Any] | None:
    if health is None:
        return None
    times = {"Interval": health.interval, "Timeout": health.timeout, "StartPeriod": health.start_period}
    nanoseconds = {name: max(_SHORTEST, round(value * 1_000_000_000)) for name, value in times.items() if value}
    return {"Test": ["CMD", *health.command], "Retries": health.retries, **nanoseconds}


def credential_option(text: str) -> str:
    """For gMSA: the name of a file in the engine's own folder, or the JSON itself."""
    if text.lstrip().startswith("{"):
        return f"credentialspec=raw://{text}"
    return f"credentialspec={text if '://' in text else f'file://{text}'}"


def _bindings(ports: Iterable[Port]) -> dict[str, list[dict[str, str]]]:
    table: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        binding = {"HostIp": port.address, "HostPort": str(port.host or "")}
        table.setdefault(_port_key(port), []).append(binding)
    return table


def _port_key(port: Port) -> str:
    return f"{port.container}/{port.protocol}"


def _mount(source: str, target: str, *, read_only: bool) -> dict[str, object]:
    return {"Type": mount_type(source), "Source": source, "Target": target, "ReadOnly": read_only}


def mount_type(source: str) -> str:
    """`bind`, `volume` or `npipe`, from how the source is written."""
    if source.startswith(r"\\.\pipe"):
        return "npipe"
    return "bind" if re.match(r"/|\\|[A-Za-z]:[\\/]", source) else "volume"


def _login(credentials: Credentials | None) -> dict[str, str]:
    if credentials is None:
        return {}
    if credentials.username == "<token>":  # what credential helpers say of an identity token
        return {"identitytoken": credentials.password}
    return {"username": credentials.username, "password": credentials.password}


def _encoded(value: object) -> str:
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(json.dumps(value).encode()).decode("ascii")
